package org.modeltracer.attention.report;

/**
 * The strongest period of a profile: a local peak of its autocorrelation, the trend taken off.
 *
 * @param period lag of the peak, 0 when there is none
 * @param autocorrelation at that lag
 * @param length values of the profile
 */
record Periodicity(int period, double autocorrelation, int length) {
  private static final double FLAT = 1e-18;

  /** Of the first n values. */
  static Periodicity of(double[] profile, int n) {
    double[] x = detrended(profile, n);
    double variance = 0;
    for (double v : x) variance += v * v;
    int period = 0;
    double top = 0;
    double[] r = new double[n / 2 + 1];
    for (int lag = 1; lag < r.length && variance > FLAT; lag++) {
      for (int d = 0; d + lag < n; d++) r[lag] += x[d] * x[d + lag];
      r[lag] /= variance;
    }
    for (int lag = 2; lag + 1 < r.length; lag++) {
      if (r[lag] > top && r[lag] > r[lag - 1] && r[lag] > r[lag + 1]) {
        top = r[lag];
        period = lag;
      }
    }
    return new Periodicity(period, top, n);
  }

  /** z-score of the peak, r √N. */
  double z() {
    return autocorrelation * Math.sqrt(length);
  }

  /** Whole periods within the profile. */
  int repetitions() {
    return period == 0 ? 0 : length / period;
  }

  /** Chance of such a peak in an aperiodic profile, all lags tried counted. */
  double pValue() {
    return period == 0 ? 1 : Math.min(1, length / 2.0 * Significance.above(z()));
  }

  /** The first n values less their least-squares line. */
  private static double[] detrended(double[] values, int n) {
    double mean = 0;
    double slope = 0;
    double spread = 0;
    double middle = (n - 1) / 2.0;
    for (int i = 0; i < n; i++) {
      mean += values[i] / n;
      slope += (i - middle) * values[i];
      spread += (i - middle) * (i - middle);
    }
    slope = spread == 0 ? 0 : slope / spread;
    double[] rest = new double[n];
    for (int i = 0; i < n; i++) rest[i] = values[i] - mean - slope * (i - middle);
    return rest;
  }
}
