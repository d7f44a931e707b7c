package org.modeltracer.quant;

/**
 * How far a head's attention is from the reference's.
 *
 * @param layer layer index, from 0
 * @param head query head index, from 0
 * @param local mean Jensen–Shannon divergence of rows when the layer gets the reference's input,
 *     nats, 0 to ln 2; NaN where that was not measured
 * @param accumulated the same with each model running free
 * @param accumulatedMax the largest of a row
 * @param rows rows behind it: queries that see more than one key
 */
public record HeadDivergence(
    int layer, int head, double local, double accumulated, double accumulatedMax, long rows) {}
