package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.TensorData;
import org.modeltracer.graph.TokenAxis;
import org.modeltracer.llama.Tensor;

/**
 * The rows of a tensor, one per token, whatever dimensions a row has and whether it lies dense.
 *
 * <p>Values of a fused projection, for instance, are a view with gaps: {@code [token, head, value
 * width]} within {@code [token, all of Q, K and V]}.
 */
final class TokenRows {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private float[] scratch = {};
  private MemorySegment scratchSegment = MemorySegment.ofArray(scratch);

  /** Takes the row of one token: {@code width} float32 values from byte {@code offset} on. */
  interface Visitor {
    void onTokenRow(int token, MemorySegment values, long offset, int width);
  }

  /**
   * Hands out all rows of a tensor that {@code data} has opened.
   *
   * @param first see {@link #firstDimension}
   */
  void read(Tensor t, int first, TensorData data, int tokens, Visitor visitor) {
    int width = 1;
    for (int d = 0; d < first; d++) {
      width *= (int) t.ne(d);
    }
    if (scratch.length < width) {
      scratch = new float[width];
      scratchSegment = MemorySegment.ofArray(scratch);
    }
    for (int token = 0; token < tokens; token++) {
      long offset = 0;
      long rest = token;
      for (int d = first; d < Tensor.DIMS; d++) {
        offset += rest % t.ne(d) * t.nb(d);
        rest /= t.ne(d);
      }
      if (first == 1 && t.nb(0) == data.type().blockBytes()) {
        MemorySegment row = data.floats(offset, width);
        visitor.onTokenRow(token, row, data.rowOffset(), width);
      } else {
        collect(t, data, first, offset, width);
        visitor.onTokenRow(token, scratchSegment, 0, width);
      }
    }
  }

  /**
   * First dimension that counts tokens rather than parts of a row; -1 where a tensor has no row for
   * each of the graph's tokens.
   */
  static int firstDimension(Tensor t, @Nullable TokenAxis axis, Ubatch ubatch) {
    int tokens = ubatch.size();
    if (axis != null) {
      boolean all = !axis.outputs() || ubatch.outputs() == tokens;
      return all && axis.rowByRow(t) && axis.rows(t) == tokens ? axis.dimension() : -1;
    }
    // Where no axis is known, all of a graph of one token is that token's.
    int last = Tensor.DIMS - 1;
    while (last > 0 && t.ne(last) == 1) {
      last--;
    }
    return tokens == 1 && last < Tensor.DIMS - 1 ? last + 1 : -1;
  }

  private void collect(Tensor t, TensorData data, int first, long offset, int width) {
    for (int i = 0; i < width; i++) {
      long at = offset;
      long rest = i;
      for (int d = 0; d < first; d++) {
        at += rest % t.ne(d) * t.nb(d);
        rest /= t.ne(d);
      }
      MemorySegment one = data.floats(at, 1);
      scratch[i] = one.get(FLOAT, data.rowOffset());
    }
  }
}
