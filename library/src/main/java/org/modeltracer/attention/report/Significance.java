package org.modeltracer.attention.report;

import org.modeltracer.attention.Measure;

/** Chances under the normal distribution, for what claims to be more than chance. */
final class Significance {
  private Significance() {}

  /**
   * Chance that a standard normal exceeds z.
   *
   * <p>Complementary error function by Chebyshev fit, relative error below 1.2e-7: Press et al.,
   * Numerical Recipes, section 6.2.
   */
  static double above(double z) {
    double x = Math.abs(z) / Math.sqrt(2);
    double t = 1 / (1 + 0.5 * x);
    double[] c = {
      -1.26551223,
      1.00002368,
      0.37409196,
      0.09678418,
      -0.18628806,
      0.27886807,
      -1.13520398,
      1.48851587,
      -0.82215223,
      0.17087277
    };
    double sum = 0;
    for (int i = c.length - 1; i >= 0; i--) {
      sum = c[i] + t * sum;
    }
    double tail = 0.5 * t * Math.exp(-x * x + sum);
    return z >= 0 ? tail : 1 - tail;
  }

  /** Chance of at least this share of successes in n trials when each has chance p0. */
  static double shareAbove(double share, double p0, long n) {
    double error = Math.sqrt(p0 * (1 - p0) / n);
    if (error == 0) {
      return share > p0 ? 0 : 1;
    }
    return above((share - p0 - 0.5 / n) / error);
  }

  /** Chance of a mean this far above a bound if the true mean were the bound. */
  static double meanAbove(Measure measure, double bound) {
    double error = measure.standardError();
    if (error == 0) {
      return measure.mean() > bound ? Math.pow(0.5, (double) measure.rows()) : 1;
    }
    return above((measure.mean() - bound) / error);
  }

  /** Spearman rank correlation of a sequence with its own order, in [−1, 1]. */
  static double trend(double[] values) {
    int n = values.length;
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < n; i++) {
      double rank = 0;
      for (double other : values) {
        if (other < values[i]) rank++;
        else if (other == values[i]) rank += 0.5;
      }
      double y = rank - n / 2.0;
      sum += (i - (n - 1) / 2.0) * y;
      squares += y * y;
    }
    double order = n * ((double) n * n - 1) / 12;
    return squares == 0 || order == 0 ? 0 : sum / Math.sqrt(order * squares);
  }

  /** Chance of a correlation at least this strong, either sign, among n unrelated pairs. */
  static double correlationBeyond(double r, long n) {
    if (n < 4) {
      return 1;
    }
    double bounded = Math.min(Math.abs(r), 1 - 1e-12);
    double z = 0.5 * Math.log((1 + bounded) / (1 - bounded)) * Math.sqrt(n - 3.0);
    return 2 * above(z);
  }
}
