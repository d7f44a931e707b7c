package org.modeltracer.attention;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Attention rollout of one sequence. Abnar and Zuidema 2020, equation 1.
 *
 * @param rows R after the last layer by position, each {@code [position + 1]}, or longer where
 *     queries see later keys, summing to 1; to be read only
 * @param entropyByLayer mean entropy, in nats, of the rows of R after each layer with attention
 * @param stopped why positions after these were not followed, null when all were
 * @param partial what the rows leave out, null when each goes through every layer with attention
 */
public record Rollout(
    List<float[]> rows,
    List<Double> entropyByLayer,
    @Nullable String stopped,
    @Nullable String partial) {
  /** Number of positions whose rollout is known. */
  public int positions() {
    return rows.size();
  }

  /**
   * Position whose information is asked for: the last, or the first where it sees later ones, as
   * the [CLS] of a text that is read both ways; -1 before any is known.
   */
  public int target() {
    return looksAhead() ? 0 : rows.size() - 1;
  }

  /** Whether the first position sees later ones. */
  public boolean looksAhead() {
    return !rows.isEmpty() && rows.getFirst().length > 1;
  }

  /** Rollout from a position to positions from 0; a copy. */
  public float[] row(int position) {
    if (position < 0 || position >= rows.size()) {
      throw new IndexOutOfBoundsException(
          "position " + position + " has no rollout; known are 0 to " + (rows.size() - 1));
    }
    return rows.get(position).clone();
  }
}
