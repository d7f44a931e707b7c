package org.modeltracer.cli;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * How much longer one thing takes than another, from pairs of measurements.
 *
 * @param median the middle of the pairs' ratios; where there are several strata, such as pieces of
 *     a prompt that take ever longer, the mean of their medians, weighted with the time they take
 * @param low begin of the interval that holds it with a confidence of 95 %
 * @param high its end
 */
record Interval(double median, double low, double high) {
  private static final int RESAMPLES = 2000;
  private static final double TAIL = 0.025;

  /**
   * Pairs of one stratum, in which only chance differs.
   *
   * @param times of the one thing
   * @param base of the other, in the same order
   */
  record Pairs(double[] times, double[] base) {
    private double[] ratios() {
      double[] ratios = new double[times.length];
      for (int i = 0; i < ratios.length; i++) {
        ratios[i] = times[i] / base[i];
      }
      return ratios;
    }
  }

  /**
   * The ratio of all strata, its interval by the percentiles of a bootstrap (Efron 1979) that draws
   * pairs within each stratum, with a fixed seed.
   */
  static Interval of(List<Pairs> strata) {
    double[] weights = strata.stream().mapToDouble(s -> middle(s.base.clone())).toArray();
    List<double[]> ratios = strata.stream().map(Pairs::ratios).toList();
    double found = weighted(ratios, weights);
    var random = new SplittableRandom(95);
    double[] drawn = new double[RESAMPLES];
    for (int i = 0; i < RESAMPLES; i++) {
      drawn[i] = weighted(ratios.stream().map(r -> resample(r, random)).toList(), weights);
    }
    Arrays.sort(drawn);
    int cut = (int) (TAIL * RESAMPLES);
    return new Interval(
        found, Math.min(found, drawn[cut]), Math.max(found, drawn[RESAMPLES - 1 - cut]));
  }

  private static double weighted(List<double[]> ratios, double[] weights) {
    double sum = 0;
    double all = 0;
    for (int k = 0; k < weights.length; k++) {
      sum += weights[k] * middle(ratios.get(k).clone());
      all += weights[k];
    }
    return sum / all;
  }

  private static double[] resample(double[] values, SplittableRandom random) {
    double[] drawn = new double[values.length];
    for (int i = 0; i < drawn.length; i++) {
      drawn[i] = values[random.nextInt(values.length)];
    }
    return drawn;
  }

  private static double middle(double[] values) {
    Arrays.sort(values);
    int n = values.length;
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
  }

  /** As a table shows it. */
  String text() {
    return "%.3f (%.3f–%.3f)".formatted(median, low, high);
  }
}
