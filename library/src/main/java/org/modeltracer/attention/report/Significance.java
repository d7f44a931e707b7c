package org.modeltracer.attention.report;

import java.util.Arrays;
import org.apache.commons.statistics.distribution.BinomialDistribution;
import org.apache.commons.statistics.distribution.TDistribution;
import org.modeltracer.attention.Measure;

/** Chances under a null hypothesis, for what claims to be more than chance. */
public final class Significance {
  /** Up to so many values all their orders are tried. */
  private static final int MOST_PERMUTED = 8;

  private static final double TIE = 1e-9;

  private Significance() {}

  /** Chance of at least so many successes in n trials of chance p0 each: the binomial's tail. */
  static double successes(long successes, long n, double p0) {
    if (successes <= 0) {
      return 1;
    }
    if (successes > n) {
      return 0;
    }
    int trials = Math.toIntExact(Math.min(n, Integer.MAX_VALUE));
    int few = (int) Math.round((double) successes * trials / n);
    return BinomialDistribution.of(trials, Math.clamp(p0, 0, 1)).survivalProbability(few - 1);
  }

  /** Chance of a mean this far above a bound if the true mean were the bound: Student's t test. */
  public static double meanAbove(Measure measure, double bound) {
    double error = measure.standardError();
    if (error == 0 || measure.rows() < 2) {
      return measure.mean() > bound ? Math.pow(0.5, (double) measure.rows()) : 1;
    }
    return TDistribution.of(measure.rows() - 1.0)
        .survivalProbability((measure.mean() - bound) / error);
  }

  /** Spearman rank correlation of a sequence with its own order, in [−1, 1]. */
  static double trend(double[] values) {
    return correlationWithOrder(ranks(values));
  }

  /**
   * Chance of a trend at least this strong, either sign, if all orders of the values were as
   * likely: counted over all orders of up to 8 values, by Student's t for more. 1 when none is
   * possible.
   */
  static double trendBeyond(double[] values) {
    double[] ranks = ranks(values);
    double trend = Math.abs(correlationWithOrder(ranks));
    if (values.length <= MOST_PERMUTED) {
      long[] counts = new long[2];
      permute(ranks, 0, trend - TIE, counts);
      return (double) counts[1] / counts[0];
    }
    return correlationBeyond(trend, values.length);
  }

  /** Counts all orders, and those whose trend is at least so strong. */
  private static void permute(double[] ranks, int from, double least, long[] counts) {
    if (from >= ranks.length - 1) {
      counts[0]++;
      counts[1] += Math.abs(correlationWithOrder(ranks)) >= least ? 1 : 0;
      return;
    }
    for (int i = from; i < ranks.length; i++) {
      swap(ranks, from, i);
      permute(ranks, from + 1, least, counts);
      swap(ranks, from, i);
    }
  }

  private static void swap(double[] values, int a, int b) {
    double first = values[a];
    values[a] = values[b];
    values[b] = first;
  }

  /** Ranks from 1, those of equal values averaged. */
  private static double[] ranks(double[] values) {
    return Arrays.stream(values)
        .map(
            v ->
                0.5
                    + Arrays.stream(values)
                        .map(other -> other < v ? 1 : other == v ? 0.5 : 0)
                        .sum())
        .toArray();
  }

  private static double correlationWithOrder(double[] ranks) {
    int n = ranks.length;
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < n; i++) {
      double y = ranks[i] - (n + 1) / 2.0;
      sum += (i - (n - 1) / 2.0) * y;
      squares += y * y;
    }
    double order = n * ((double) n * n - 1) / 12;
    return squares == 0 || order == 0 ? 0 : sum / Math.sqrt(order * squares);
  }

  /**
   * Chance of a correlation at least this strong, either sign, among n unrelated pairs: Student's t
   * with n − 2 degrees of freedom; 1 for fewer than 3 pairs.
   */
  static double correlationBeyond(double r, long n) {
    if (n < 3) {
      return 1;
    }
    double bounded = Math.min(Math.abs(r), 1 - 1e-15);
    double t = bounded * Math.sqrt((n - 2) / (1 - bounded * bounded));
    return Math.min(1, 2 * TDistribution.of(n - 2.0).survivalProbability(t));
  }
}
