package org.modeltracer.trace;

import org.modeltracer.model.TensorStats;

/**
 * What was seen at one place over the run.
 *
 * @param observations how often a tensor was seen there
 * @param aggregate statistics over all of them
 * @param first statistics of the first
 * @param last statistics of the last
 * @param headroomBits log2(65504 / max|x|) of the aggregate, bits left before F16 overflow,
 *     negative beyond it; infinite when all values are zero, NaN when some are not finite (null in
 *     JSON)
 */
public record PlaceTrace(
    long observations,
    TensorStats aggregate,
    TensorStats first,
    TensorStats last,
    double headroomBits) {}
