package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.trace.ModelTracer;

/** Which experts a router chose for each token, usually a strided view of its sorted scores. */
final class ExpertReader {
  private final ModelTracer tracer;
  private final TensorData data;

  ExpertReader(LlamaRuntime runtime, ModelTracer tracer, boolean forceCopy) {
    this.tracer = tracer;
    data = new TensorData(runtime, forceCopy);
  }

  void read(Tensor choices, int layer, int experts) {
    MemorySegment values = data.open(choices);
    for (long token = 0; token < choices.ne(1); token++) {
      for (long k = 0; k < choices.ne(0); k++) {
        int chosen = values.get(ValueLayout.JAVA_INT, token * choices.nb(1) + k * choices.nb(0));
        tracer.recordExpert(layer, experts, chosen);
      }
    }
  }

  long bytesCopied() {
    return data.bytesCopied();
  }

  void close() {
    data.close();
  }
}
