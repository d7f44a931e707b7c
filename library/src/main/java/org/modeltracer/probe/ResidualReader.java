package org.modeltracer.probe;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.ResidualChange;
import org.modeltracer.trace.ModelTracer;

/**
 * How much each layer changes the residual stream.
 *
 * <p>The state before a layer is overwritten while the layer runs; one copy of it is kept here, of
 * the size of a micro-batch.
 */
final class ResidualReader {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Arena arena = Arena.ofShared();
  private final ResidualChange change = new ResidualChange();
  private MemorySegment before = MemorySegment.NULL;
  private int layer;
  private int width;
  private long rows;

  /** A new graph begins. */
  void forget() {
    rows = 0;
  }

  /** Keeps the state that leaves a layer, -1 for the embedding: dense rows of float32. */
  void enter(int leaving, MemorySegment values, Tensor t) {
    layer = leaving;
    long bytes = 4 * t.elements();
    if (before.byteSize() < bytes) {
      before = arena.allocate(bytes, 64);
    }
    MemorySegment.copy(values, 0, before, 0, bytes);
    width = (int) t.ne(0);
    rows = t.elements() / width;
  }

  /** Compares the state that leaves a layer with the one that entered it, and keeps it instead. */
  void leave(
      int leaving,
      MemorySegment values,
      Tensor t,
      boolean outputs,
      Ubatch ubatch,
      ModelTracer tracer) {
    long outRows = t.elements() / t.ne(0);
    boolean picked = outputs && outRows == ubatch.outputs() && rows == ubatch.size();
    boolean comparable = picked || outRows == rows;
    if (rows == 0 || leaving != layer + 1 || t.ne(0) != width || !comparable) {
      enter(leaving, values, t);
      return;
    }
    change.clear();
    for (int r = 0; r < outRows; r++) {
      int from = picked ? ubatch.rowOf(r, true) : r;
      compare(4L * width * from, values, 4L * width * r);
    }
    if (change.isFinite()) {
      tracer.recordResidual(leaving, change);
    }
    enter(leaving, values, t);
  }

  private void compare(long a, MemorySegment values, long b) {
    double xx = 0;
    double yy = 0;
    double xy = 0;
    double dd = 0;
    for (int i = 0; i < width; i++) {
      double x = before.get(FLOAT, a + 4L * i);
      double y = values.get(FLOAT, b + 4L * i);
      xx += x * x;
      yy += y * y;
      xy += x * y;
      dd += (y - x) * (y - x);
    }
    double cosine = xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : 0;
    change.add(Math.sqrt(xx), Math.sqrt(dd), Math.sqrt(yy), cosine);
  }

  /** The state kept: {@code [row, width]}. */
  MemorySegment state() {
    return before;
  }

  int width() {
    return width;
  }

  long rows() {
    return rows;
  }

  void close() {
    arena.close();
  }
}
