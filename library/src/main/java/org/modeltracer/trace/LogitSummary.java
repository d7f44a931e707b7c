package org.modeltracer.trace;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What was seen of the scores of the next token over the run.
 *
 * @param positions positions with finite scores
 * @param entropy of what the scores say; null while there is no position
 * @param lastPositions scores of the tokens of interest at the last positions
 * @param evolutions number of traces of a lens
 * @param lastEvolutions the last of them
 */
public record LogitSummary(
    long positions,
    @Nullable Entropy entropy,
    List<Position> lastPositions,
    long evolutions,
    List<LogitEvolutionTrace> lastEvolutions) {

  /** Entropies over the positions, in nats. */
  public record Entropy(double mean, double min, double max) {}

  /**
   * One position.
   *
   * @param position token position whose next token is predicted
   * @param chosen token that was chosen, null when none was
   * @param entropy in nats
   * @param tokens scores of the tokens of interest
   */
  public record Position(
      int position, @Nullable Integer chosen, double entropy, List<LogitEvolutionTrace> tokens) {}
}
