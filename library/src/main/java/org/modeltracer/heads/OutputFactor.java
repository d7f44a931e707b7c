package org.modeltracer.heads;

import java.lang.foreign.MemorySegment;
import org.modeltracer.kernels.Kernels;

/**
 * What the heads of one layer write into the residual stream, up to a rotation.
 *
 * <p>Head h writes z W_O,h for a mixed value z. With R_hᵀ R_h = W_O,h W_O,hᵀ the short vector R_h z
 * has the norms and inner products of those writes, and costs d²/2 per token instead of d times the
 * width of the model. R_h is the Cholesky factor of the Gram matrix, whose pivots that vanish (a
 * head that ignores a direction) leave a row of zeros; no library at hand factors such matrices.
 */
final class OutputFactor {
  private static final double VANISHED = 1e-12;

  private final int width;
  private final double[][] gram;
  private final Kernels kernels = Kernels.chosen();

  /** By head, the rows of R as the kernels lay them out. */
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
    float[] rows = new float[r.length];
    for (int i = 0; i < r.length; i++) {
      rows[i] = (float) r[i];
    }
    float[] panels = new float[room() * width];
    kernels.panels(MemorySegment.ofArray(rows), 0, width, width, width, panels);
    return panels;
  }

  /** Width of a mixed value. */
  int width() {
    return width;
  }

  /** Floats from one product to the next where several are made: the width in whole panels. */
  int room() {
    return (width + kernels.panel() - 1) / kernels.panel() * kernels.panel();
  }

  /**
   * R_h z for several values.
   *
   * @param values {@code [value, width]}
   * @param into {@code [value, room]}
   */
  void apply(int head, float[] values, int count, float[] into) {
    kernels.panelProducts(values, count, width, factor[head], 0, width, into, room());
  }
}
