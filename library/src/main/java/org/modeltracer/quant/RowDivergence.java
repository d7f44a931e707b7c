package org.modeltracer.quant;

/** Jensen–Shannon divergence of the rows of one head, gathered. */
final class RowDivergence {
  private double sum;
  private double max;
  private long rows;

  /** Adds a row; one that is not known on either side, or has one key only, does not count. */
  void add(float[] reference, float[] other, int width) {
    double divergence = 0;
    int keys = 0;
    for (int i = 0; i < width; i++) {
      double p = reference[i];
      double q = other[i];
      if (Double.isNaN(p) || Double.isNaN(q)) {
        return;
      }
      keys += p > 0 || q > 0 ? 1 : 0;
      double m = (p + q) / 2;
      divergence += (term(p, m) + term(q, m)) / 2;
    }
    if (keys > 1) {
      double own = Math.clamp(divergence, 0, Math.log(2));
      sum += own;
      max = Math.max(max, own);
      rows++;
    }
  }

  private static double term(double p, double m) {
    return p > 0 ? p * Math.log(p / m) : 0;
  }

  double mean() {
    return rows == 0 ? Double.NaN : sum / rows;
  }

  double max() {
    return max;
  }

  long rows() {
    return rows;
  }
}
