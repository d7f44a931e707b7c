package org.modeltracer.kernels;

/**
 * What {@link Kernels#row} finds in a row of weights; all is NaN or infinite where one of them is.
 */
public final class RowSums {
  double sum;
  double squares;
  double entropy;
  double moment;
  float max;
  int argmax;

  /** Σ w. */
  public double sum() {
    return sum;
  }

  /** Σ w². */
  public double squares() {
    return squares;
  }

  /** −Σ w ln w in nats, a term being 0 where w is. */
  public double entropy() {
    return entropy;
  }

  /** Σ i w. */
  public double moment() {
    return moment;
  }

  /** Largest weight, 0 where none is positive. */
  public float max() {
    return max;
  }

  /** Index of the first weight that is the largest, −1 where none is positive. */
  public int argmax() {
    return argmax;
  }
}
