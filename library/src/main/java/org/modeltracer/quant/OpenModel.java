package org.modeltracer.quant;

import java.util.Set;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import org.modeltracer.probe.NodeListener;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;
import org.modeltracer.trace.TracerConfig;

/** A model ready to show its nodes while it reads a text. */
final class OpenModel implements AutoCloseable {
  private final LlamaModel model;
  private final ModelTracer tracer;
  private final TracedSession session;

  OpenModel(LlamaRuntime runtime, Setup setup) {
    var options = ModelOptions.defaults().withGpuLayers(setup.gpuLayers());
    model = runtime.open(setup.model(), options);
    tracer = new ModelTracer(TracerConfig.builder().attention(true).build());
    try {
      if (model.hasEncoder() && model.hasDecoder()) {
        throw new LlamaException(
            LlamaException.Kind.ARGUMENT,
            setup.model() + ": models with an encoder and a decoder are not compared");
      }
      ContextOptions context = setup.context();
      session =
          TracedSession.open(
              model,
              SessionOptions.defaults()
                  .withContext(context.withBatch(context.microBatch(), context.microBatch())),
              tracer);
    } catch (RuntimeException e) {
      tracer.close();
      model.close();
      throw e;
    }
    // Anomalies are another command's business; without a listener they would be logged.
    tracer.addListener(new TraceListener() {});
  }

  /** Reads a text from its beginning; blocks until it is read. */
  void read(int[] tokens, Set<String> wanted, NodeListener listener) {
    session.onNode(wanted, listener);
    session.evaluate(tokens, true);
  }

  LlamaModel model() {
    return model;
  }

  TracedSession session() {
    return session;
  }

  @Override
  public void close() {
    session.close();
    tracer.close();
    model.close();
  }
}
