package org.modeltracer.attention;

import org.jspecify.annotations.Nullable;

/** Norms of projected values, measured where the weights are: ‖(x_j W_V) W_O‖ per head. */
@FunctionalInterface
public interface ValueNorms {
  /**
   * Norms by position, {@code [position]}, of a head in a sequence; null when they are not known.
   *
   * <p>Called once per row: hand out an array that is kept.
   */
  float @Nullable [] of(int sequence, int layer, int head);
}
