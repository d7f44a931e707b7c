package org.modeltracer.model;

import java.util.Locale;

/** What the values of a tensor are, in one word. */
public enum TensorState {
  /** Neither NaN nor infinite, and not all zero. */
  FINITE,
  /** All zero. */
  ZERO,
  /** Infinite where a mask has put that, on purpose. */
  MASKED,
  /** Some are NaN. */
  NAN,
  /** Some are infinite, none is NaN. */
  INF,
  /** Not known. */
  UNKNOWN;

  /** Whether values are bad that nobody wanted so. */
  public boolean bad() {
    return this == NAN || this == INF;
  }

  /** As in JSON. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
