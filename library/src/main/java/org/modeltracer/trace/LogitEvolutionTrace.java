package org.modeltracer.trace;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How the score of one token came about, layer by layer where a lens provides that.
 *
 * <p>Of a layer whose state is not finite the numbers are null.
 *
 * @param position token position whose next token is predicted
 * @param token token id
 * @param layerLogits score after the embedding and after every layer, or null without a lens
 * @param layerProbabilities probability likewise, 0 to 1
 * @param layerRanks rank likewise, 0 for the most likely token
 * @param finalLogit score in the model's output
 * @param finalProbability probability in the model's output, 0 to 1
 * @param finalRank rank in the model's output, 0 for the most likely token
 * @param decisiveLayer first layer from which the final top-1 stays top-1; null without a lens
 */
public record LogitEvolutionTrace(
    int position,
    int token,
    @Nullable List<@Nullable Double> layerLogits,
    @Nullable List<@Nullable Double> layerProbabilities,
    @Nullable List<@Nullable Integer> layerRanks,
    double finalLogit,
    double finalProbability,
    int finalRank,
    @Nullable Integer decisiveLayer) {}
