package org.modeltracer.attention;

/**
 * The residual stream through a layer, means over tokens. ShortGPT, Men et al. 2024.
 *
 * @param incomingFlow ‖x_in‖
 * @param outgoingFlow ‖x_out‖
 * @param retentionRatio cosine of x_in and x_out
 * @param transformationRatio ‖x_out − x_in‖ / ‖x_in‖
 * @param blockInfluence 1 − cosine
 * @param rows tokens behind the means
 */
public record LayerFlow(
    double incomingFlow,
    double outgoingFlow,
    double retentionRatio,
    double transformationRatio,
    double blockInfluence,
    long rows) {}
