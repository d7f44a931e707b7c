package org.modeltracer.trace;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * One row of attention, reduced to what matters.
 *
 * @param layer layer index, from 0
 * @param head query head, from 0
 * @param queryPosition token position of the query
 * @param keys number of visible keys
 * @param topKPositions token positions of the largest weights, largest first
 * @param topKWeights these weights
 * @param tailMass sum of all weights not listed
 * @param entropy −Σ a ln a, in nats
 * @param normalizedEntropy entropy over ln k, 0 to 1; NaN when only one key is visible
 * @param sinkMass weight on position 0
 * @param uniform whether the normalized entropy is above the limit of uniform attention
 * @param recency weight on the query itself and the three positions before it
 */
public record AttentionWeightTrace(
    int layer,
    int head,
    int queryPosition,
    int keys,
    @JsonProperty("top_k_positions") List<Integer> topKPositions,
    @JsonProperty("top_k_weights") List<Double> topKWeights,
    double tailMass,
    double entropy,
    double normalizedEntropy,
    double sinkMass,
    boolean uniform,
    double recency) {}
