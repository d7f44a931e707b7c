package org.modeltracer.lens;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.modeltracer.trace.LogitEvolutionTrace;

/**
 * What the states of one position say of the token after it, layer by layer.
 *
 * @param position token position
 * @param token the token there
 * @param text its text
 * @param next the token after it: of the prompt, or chosen; null where there is none
 * @param layers one per layer, from the embedding on
 * @param tracked tokens that are followed through all layers
 * @param decisiveLayer first layer from which on the final top-1 stays top-1; null when the last
 *     state is not finite
 * @param difference largest difference between the last layer's scores and the model's own; null
 *     when they are not finite
 */
public record PositionReading(
    int position,
    int token,
    String text,
    @Nullable Integer next,
    List<LayerReading> layers,
    List<TokenEvolution> tracked,
    @Nullable Integer decisiveLayer,
    @Nullable Double difference) {
  /** The tracked tokens as the tracer keeps them; none where the last state is not finite. */
  public List<LogitEvolutionTrace> traces() {
    return decisiveLayer == null ? List.of() : tracked.stream().map(this::trace).toList();
  }

  private LogitEvolutionTrace trace(TokenEvolution token) {
    return new LogitEvolutionTrace(
        position,
        token.id(),
        token.logits(),
        token.probabilities(),
        token.ranks(),
        Objects.requireNonNull(token.logits().getLast()),
        Objects.requireNonNull(token.probabilities().getLast()),
        Objects.requireNonNull(token.ranks().getLast()),
        decisiveLayer);
  }
}
