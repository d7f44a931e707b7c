package org.modeltracer.attention;

/**
 * A mean over rows and how far it can be trusted.
 *
 * @param mean mean over the rows
 * @param std standard deviation over the rows (population)
 * @param rows number of rows behind the mean
 */
public record Measure(double mean, double std, long rows) {
  /** Standard error of the mean, rows taken as independent; 0 for a single row. */
  public double standardError() {
    return rows > 1 ? std / Math.sqrt(rows - 1.0) : 0;
  }
}
