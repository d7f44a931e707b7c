package org.modeltracer.quant;

import org.jspecify.annotations.Nullable;

/**
 * Whether rounding explains in what two runs of the same weights differ, node by node on the same
 * inputs.
 *
 * @param nodes nodes that were judged
 * @param exact numbers of the reference that were computed again in float64
 * @param referenceError their largest error, as a share of what is explained: up to about 1
 * @param largest largest error of a row, as a share of what is tolerated: below 1 where rounding
 *     explains all
 * @param first the first node beyond that; null for none
 */
public record Rounding(
    int nodes, long exact, double referenceError, double largest, @Nullable Unexplained first) {}
