package org.modeltracer.kernels;

/** What {@link Kernels#moments} finds in a block of finite values. */
public final class Moments {
  /** Most values in a block: so few that float32 sums of its lanes lose nothing that shows. */
  public static final int BLOCK = 1024;

  /** Σ (x − c). */
  public double sum;

  /** Σ (x − c)². */
  public double squares;

  /** Σ x². */
  public double raw;

  /** Smallest value. */
  public float min;

  /** Largest value. */
  public float max;

  /** Values that are exactly zero. */
  public int zeros;
}
