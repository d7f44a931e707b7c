package org.modeltracer.attention;

import org.modeltracer.kernels.FastLog;

/** −Σ p ln p in nats, of rows of non-negative weights. */
public final class Entropy {
  private Entropy() {}

  /** Entropy of a row. */
  public static double of(float[] row) {
    double h = 0;
    for (float p : row) {
      h += term(p);
    }
    return Math.max(0, h);
  }

  /** Entropy of the row in the middle of two of equal length, as Jensen and Shannon need it. */
  public static double ofMiddle(float[] one, float[] two) {
    double h = 0;
    for (int i = 0; i < one.length; i++) {
      h += term((one[i] + two[i]) / 2);
    }
    return Math.max(0, h);
  }

  private static double term(float p) {
    return p > 0 ? -p * FastLog.log(p) : 0;
  }
}
