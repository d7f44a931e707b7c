package org.modeltracer.probe;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.modeltracer.llama.Tensor;
import org.modeltracer.trace.ModelTracer;

/**
 * How much each layer changes the residual stream.
 *
 * <p>The state before a layer is overwritten while the layer runs; one copy of it is kept here, of
 * the size of a micro-batch.
 */
final class ResidualFlow {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Arena arena = Arena.ofShared();
  private MemorySegment before = MemorySegment.NULL;
  private int width;
  private long rows;

  /** Keeps the state that enters the next layer. */
  void enter(MemorySegment values, Tensor t) {
    long bytes = 4 * t.elements();
    if (before.byteSize() < bytes) {
      before = arena.allocate(bytes, 64);
    }
    MemorySegment.copy(values, 0, before, 0, bytes);
    width = (int) t.ne(0);
    rows = t.ne(1);
  }

  /** Compares the state that leaves a layer with the one that entered it, and keeps it instead. */
  void leave(int layer, MemorySegment values, Tensor t, Ubatch ubatch, ModelTracer tracer) {
    long outRows = t.ne(1);
    if (rows == 0 || outRows == 0 || t.ne(0) != width || (outRows != rows && outRows > ubatch.outputs())) {
      enter(values, t);
      return;
    }
    double in = 0;
    double out = 0;
    double delta = 0;
    double dot = 0;
    for (int r = 0; r < outRows; r++) {
      long a = 4L * width * (outRows == rows ? r : ubatch.outputRow(r));
      long b = 4L * width * r;
      for (int i = 0; i < width; i++) {
        double x = before.get(FLOAT, a + 4L * i);
        double y = values.get(FLOAT, b + 4L * i);
        in += x * x;
        out += y * y;
        dot += x * y;
        delta += (y - x) * (y - x);
      }
    }
    if (Double.isFinite(in) && Double.isFinite(out)) {
      double cosine = in > 0 && out > 0 ? dot / Math.sqrt(in * out) : 0;
      tracer.recordResidual(layer, Math.sqrt(in), Math.sqrt(delta), Math.sqrt(out), cosine);
    }
    enter(values, t);
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
