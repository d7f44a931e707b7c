package org.modeltracer.cli.terminal;

import java.util.Arrays;

/**
 * The middle and the ends of repeated measurements.
 *
 * @param median middle value; mean of the two middle ones of an even number
 * @param min smallest value
 * @param max largest value
 */
public record Spread(double median, double min, double max) {
  /** Spread of values, of which there is at least one. */
  public static Spread of(double... values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int n = sorted.length;
    return new Spread((sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[0], sorted[n - 1]);
  }

  /** All three, in a format for one number. */
  public String text(String format) {
    return (format + " (" + format + "–" + format + ")").formatted(median, min, max);
  }
}
