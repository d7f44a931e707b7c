package org.modeltracer.attention.report;

/**
 * The strongest period of a profile: a line of its spectrum that stands out of its neighbours.
 *
 * <p>Of each frequency k / n that fits at least three times into the profile, the power is compared
 * with the mean of its up to eight neighbours at k ± 2 to k ± 5 (those at ± 1 share in a line
 * between two frequencies). Where the spectrum is smooth, the ratio follows F(2, 2m) for m
 * neighbours; its tail is (1 + ratio / m)^−m, multiplied by the number of frequencies tried.
 * Harmonic analysis, Thomson 1982; Bonferroni.
 *
 * @param period distance between two peaks, 0 when there is none
 * @param autocorrelation of the profile at that lag, its quadratic trend taken off
 * @param peak power of the line over its neighbours'
 * @param length values of the profile
 * @param pValue chance of such a line in an aperiodic profile
 */
record Periodicity(int period, double autocorrelation, double peak, int length, double pValue) {
  /** Fewer values have too few lines to compare. */
  static final int FEWEST = 32;

  private static final int MOST = 1024;
  private static final int FEWEST_REPETITIONS = 3;
  private static final int NEAREST = 2;
  private static final int FARTHEST = 5;
  private static final Periodicity NONE = new Periodicity(0, 0, 0, 0, 1);

  /**
   * Of the first n values, each the mean of so many rows: all are brought to one variance before.
   */
  static Periodicity of(double[] profile, int[] rows, int n) {
    int length = Math.min(n, MOST);
    if (length < FEWEST) {
      return NONE;
    }
    double[] even = new double[length];
    for (int d = 0; d < length; d++) {
      even[d] = profile[d] * Math.sqrt(rows[d]);
    }
    double[] rest = withoutTrend(even);
    double[] power = spectrum(rest);
    int lines = 0;
    int best = 0;
    double least = 1;
    double peak = 0;
    for (int k = FEWEST_REPETITIONS; k < power.length; k++) {
      double background = 0;
      int neighbours = 0;
      for (int j = NEAREST; j <= FARTHEST; j++) {
        if (k - j >= 1) {
          background += power[k - j];
          neighbours++;
        }
        if (k + j < power.length) {
          background += power[k + j];
          neighbours++;
        }
      }
      double ratio = background == 0 ? 0 : power[k] * neighbours / background;
      double p = Math.pow(1 + ratio / neighbours, -neighbours);
      lines++;
      if (p < least) {
        least = p;
        best = k;
        peak = ratio;
      }
    }
    if (best == 0) {
      return NONE;
    }
    double[] r = new double[length / FEWEST_REPETITIONS + 2];
    int period = 0;
    int shortest = Math.max(2, (int) Math.floor(length / (best + 1.0)));
    int longest = Math.min(r.length - 1, (int) Math.ceil(length / (best - 1.0)));
    for (int lag = shortest; lag <= longest; lag++) {
      r[lag] = autocorrelation(rest, lag);
      period = period == 0 || r[lag] > r[period] ? lag : period;
    }
    return new Periodicity(period, r[period], peak, length, Math.min(1, lines * least));
  }

  /** Whole periods within the profile. */
  int repetitions() {
    return period == 0 ? 0 : length / period;
  }

  /** |Σ x_d e^(−2πi kd/n)|² for k from 0 to below n / 2. */
  private static double[] spectrum(double[] x) {
    int n = x.length;
    double[] cos = new double[n];
    double[] sin = new double[n];
    for (int i = 0; i < n; i++) {
      cos[i] = Math.cos(2 * Math.PI * i / n);
      sin[i] = Math.sin(2 * Math.PI * i / n);
    }
    double[] power = new double[(n + 1) / 2];
    for (int k = 0; k < power.length; k++) {
      double re = 0;
      double im = 0;
      int at = 0;
      for (double v : x) {
        re += v * cos[at];
        im += v * sin[at];
        at += k;
        at = at >= n ? at - n : at;
      }
      power[k] = re * re + im * im;
    }
    return power;
  }

  private static double autocorrelation(double[] x, int lag) {
    double product = 0;
    double squares = 0;
    for (int d = 0; d < x.length; d++) {
      squares += x[d] * x[d];
      product += d + lag < x.length ? x[d] * x[d + lag] : 0;
    }
    return squares == 0 ? 0 : product / squares;
  }

  /** The values less their least-squares parabola, by its orthogonal polynomials. */
  private static double[] withoutTrend(double[] values) {
    int n = values.length;
    double[] rest = values.clone();
    double middle = (n - 1) / 2.0;
    double spread = ((double) n * n - 1) / 12;
    for (int degree = 0; degree <= 2; degree++) {
      double product = 0;
      double squares = 0;
      for (int i = 0; i < n; i++) {
        double p = polynomial(degree, i - middle, spread);
        product += p * values[i];
        squares += p * p;
      }
      for (int i = 0; i < n; i++) {
        rest[i] -= product / squares * polynomial(degree, i - middle, spread);
      }
    }
    return rest;
  }

  private static double polynomial(int degree, double x, double spread) {
    return switch (degree) {
      case 0 -> 1;
      case 1 -> x;
      default -> x * x - spread;
    };
  }
}
