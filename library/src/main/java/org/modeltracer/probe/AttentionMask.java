package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorType;

/** An attention mask, by query and cell; without one every key is open. */
final class AttentionMask {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

  private final Tensor tensor;
  private final TensorData data;
  private MemorySegment values = MemorySegment.NULL;
  private boolean exists;
  private long opened;
  private boolean half;

  AttentionMask(LlamaRuntime runtime, boolean forceCopy) {
    tensor = new Tensor(runtime);
    data = new TensorData(runtime, forceCopy);
  }

  /** Opens the mask at an address, 0 for none. */
  void open(long address) {
    exists = address != 0;
    if (exists && address != opened) {
      values = data.open(tensor.at(address));
      half = tensor.type() == TensorType.F16;
      opened = address;
    }
  }

  /** A graph begins: until its last layer has attended, a mask stays as it is. */
  void beginGraph() {
    opened = 0;
  }

  /** Where the row of a query begins, for one head, in a stream. */
  long row(int query, int head, int stream) {
    return exists
        ? query * tensor.nb(1)
            + head % tensor.ne(2) * tensor.nb(2)
            + stream % tensor.ne(3) * tensor.nb(3)
        : 0;
  }

  /** Whether heads have masks of their own. */
  boolean differsByHead() {
    return exists && tensor.ne(2) > 1;
  }

  /**
   * What is added to the score of the key in a cell: minus infinity where the query does not see
   * it; ALiBi biases are finite.
   */
  float value(long row, int cell) {
    if (!exists) {
      return 0;
    }
    return half
        ? Float.float16ToFloat(values.get(SHORT, row + 2L * cell))
        : values.get(FLOAT, row + 4L * cell);
  }

  long bytesCopied() {
    return data.bytesCopied();
  }

  void close() {
    data.close();
  }
}
