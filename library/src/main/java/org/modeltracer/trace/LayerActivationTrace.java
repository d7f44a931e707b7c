package org.modeltracer.trace;

import org.jspecify.annotations.Nullable;

/**
 * What was seen in one layer over the run; null where the model has no such place or it was not
 * watched.
 *
 * @param layer layer index, from 0
 * @param input residual stream that enters the layer
 * @param postNorm normalized input of the attention block
 * @param postAttention output of the attention block
 * @param postFfn output of the feed-forward block
 * @param output residual stream that leaves the layer
 * @param residualRatio ‖x‖ / (‖x‖ + ‖Δ‖), norms summed over tokens, 0 to 1
 * @param cosine mean cosine between the stream that enters and the one that leaves, -1 to 1
 * @param outputRatio ‖x_out‖ / ‖x_in‖, norms summed over tokens
 * @param tokens number of tokens behind these three
 * @param headroomBits smallest headroom before F16 overflow of the places above, in bits; null
 *     where none was seen, or one has a value that is not finite
 * @param anomalies number of anomalies in this layer, repeats included
 */
public record LayerActivationTrace(
    int layer,
    @Nullable PlaceTrace input,
    @Nullable PlaceTrace postNorm,
    @Nullable PlaceTrace postAttention,
    @Nullable PlaceTrace postFfn,
    @Nullable PlaceTrace output,
    @Nullable Double residualRatio,
    @Nullable Double cosine,
    @Nullable Double outputRatio,
    long tokens,
    @Nullable Double headroomBits,
    long anomalies) {}
