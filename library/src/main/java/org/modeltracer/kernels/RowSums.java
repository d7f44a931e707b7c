package org.modeltracer.kernels;

/**
 * What {@link Kernels#row} finds in a row of weights; all is NaN or infinite where one of them is.
 */
public final class RowSums {
  /** Σ w. */
  public double sum;

  /** Σ w². */
  public double squares;

  /** −Σ w ln w in nats, a term being 0 where w is. */
  public double entropy;

  /** Σ i w. */
  public double moment;

  /** Largest weight, 0 where none is positive. */
  public float max;

  /** Index of the first weight that is the largest, −1 where none is positive. */
  public int argmax;
}
