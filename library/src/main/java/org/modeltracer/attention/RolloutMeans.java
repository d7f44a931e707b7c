package org.modeltracer.attention;

import org.jspecify.annotations.Nullable;

/**
 * Head-averaged attention and its rollout in a few numbers; null where no row defines one.
 *
 * @param meanAttention mean head-averaged weight of visible keys, all layers; structural: rows sum
 *     to 1, so it is one over the mean number of keys in sight
 * @param maxAttention largest head-averaged weight of rows with more than one key
 * @param attentionEntropy mean entropy, in nats, of those rows
 * @param attentionConcentration mean largest weight of those rows
 * @param rolloutMax largest rollout weight on another position
 * @param rolloutEntropy mean entropy, in nats, of the rollout's rows
 * @param rows rollout rows behind the means
 * @param cut prompts whose rollout is not whole
 */
public record RolloutMeans(
    @Nullable Double meanAttention,
    @Nullable Double maxAttention,
    @Nullable Double attentionEntropy,
    @Nullable Double attentionConcentration,
    @Nullable Double rolloutMax,
    @Nullable Double rolloutEntropy,
    long rows,
    long cut) {}
