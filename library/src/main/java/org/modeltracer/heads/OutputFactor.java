package org.modeltracer.heads;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What the heads of one layer write into the residual stream, up to a rotation.
 *
 * <p>Head h writes z W_O,h for a mixed value z. With R_hᵀ R_h = W_O,h W_O,hᵀ the short vector R_h z
 * has the norms and inner products of those writes, and costs d²/2 per token instead of d times the
 * width of the model. R_h is the Cholesky factor of the Gram matrix, whose pivots that vanish (a
 * head that ignores a direction) leave a row of zeros; no library at hand factors such matrices.
 */
final class OutputFactor {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final double VANISHED = 1e-12;

  private final int width;
  private final double[][] gram;
  private float[][] factor = {};

  /** No weights yet, of that many heads of that value width. */
  OutputFactor(int heads, int width) {
    this.width = width;
    gram = new double[heads][width * width];
  }

  /** Adds a row of W_O, {@code [head, value width]}: the weights of one output. */
  void add(float[] row) {
    for (int h = 0; h < gram.length; h++) {
      double[] g = gram[h];
      int from = h * width;
      for (int a = 0; a < width; a++) {
        double w = row[from + a];
        int line = a * width;
        for (int b = a; b < width; b++) {
          g[line + b] += w * row[from + b];
        }
      }
    }
  }

  /** All rows have been added. */
  OutputFactor finish() {
    factor = new float[gram.length][];
    for (int h = 0; h < gram.length; h++) {
      factor[h] = cholesky(gram[h]);
      gram[h] = new double[0];
    }
    return this;
  }

  private float[] cholesky(double[] g) {
    double[] r = new double[g.length];
    for (int i = 0; i < width; i++) {
      double pivot = g[i * width + i];
      for (int k = 0; k < i; k++) {
        pivot -= r[k * width + i] * r[k * width + i];
      }
      if (!(pivot > VANISHED * g[i * width + i])) {
        continue;
      }
      double root = Math.sqrt(pivot);
      for (int j = i; j < width; j++) {
        double sum = g[i * width + j];
        for (int k = 0; k < i; k++) {
          sum -= r[k * width + i] * r[k * width + j];
        }
        r[i * width + j] = sum / root;
      }
    }
    float[] small = new float[r.length];
    for (int i = 0; i < r.length; i++) {
      small[i] = (float) r[i];
    }
    return small;
  }

  /** Width of a mixed value. */
  int width() {
    return width;
  }

  /** R_h z for a value at byte {@code offset}, into {@code target}. */
  void apply(int head, MemorySegment values, long offset, float[] target) {
    float[] r = factor[head];
    for (int i = 0; i < width; i++) {
      float sum = 0;
      for (int j = i; j < width; j++) {
        sum += r[i * width + j] * values.get(FLOAT, offset + 4L * j);
      }
      target[i] = sum;
    }
  }

  /** ‖z W_O,h‖; {@code scratch} holds at least the value width. */
  float norm(int head, MemorySegment values, long offset, float[] scratch) {
    apply(head, values, offset, scratch);
    double squares = 0;
    for (int i = 0; i < width; i++) {
      squares += (double) scratch[i] * scratch[i];
    }
    return (float) Math.sqrt(squares);
  }
}
