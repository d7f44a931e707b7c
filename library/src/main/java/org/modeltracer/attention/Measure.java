package org.modeltracer.attention;

import java.util.List;

/**
 * A mean over rows and how far it can be trusted.
 *
 * @param mean mean over the rows
 * @param std standard deviation over the rows (population)
 * @param rows number of rows behind the mean
 */
public record Measure(double mean, double std, long rows) {
  /** The measure of at least one row, from sums. */
  public static Measure of(long rows, double sum, double squares) {
    double mean = sum / rows;
    return new Measure(mean, Math.sqrt(Math.max(0, squares / rows - mean * mean)), rows);
  }

  /** The measure of these values, at least one. */
  public static Measure of(List<Double> values) {
    double sum = 0;
    double squares = 0;
    for (double value : values) {
      sum += value;
      squares += value * value;
    }
    return of(values.size(), sum, squares);
  }

  /** Standard error of the mean, rows taken as independent; 0 for a single row. */
  public double standardError() {
    return rows > 1 ? std / Math.sqrt(rows - 1.0) : 0;
  }
}
