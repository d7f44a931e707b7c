package org.modeltracer.lens;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How one token fares from layer to layer; one element a layer, null where its state is not finite.
 *
 * @param id in the vocabulary
 * @param token its text
 * @param logits its scores
 * @param probabilities its probabilities, 0 to 1
 * @param ranks its ranks, 0 for the most likely
 */
public record TokenEvolution(
    int id,
    String token,
    List<@Nullable Double> logits,
    List<@Nullable Double> probabilities,
    List<@Nullable Integer> ranks) {}
