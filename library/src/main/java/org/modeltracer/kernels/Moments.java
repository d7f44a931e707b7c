package org.modeltracer.kernels;

/** What {@link Kernels#moments} finds in a block of finite values. */
public final class Moments {
  /** Most values in a block: so few that float32 sums of its lanes lose nothing that shows. */
  public static final int BLOCK = 1024;

  double sum;
  double squares;
  double raw;
  float min;
  float max;
  int zeros;

  /** Σ (x − c). */
  public double sum() {
    return sum;
  }

  /** Σ (x − c)². */
  public double squares() {
    return squares;
  }

  /** Σ x². */
  public double raw() {
    return raw;
  }

  /** Smallest value. */
  public float min() {
    return min;
  }

  /** Largest value. */
  public float max() {
    return max;
  }

  /** Values that are exactly zero. */
  public int zeros() {
    return zeros;
  }
}
