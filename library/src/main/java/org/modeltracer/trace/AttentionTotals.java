package org.modeltracer.trace;

/**
 * How much attention was seen.
 *
 * @param rows rows of all heads
 * @param heads heads with a row
 */
public record AttentionTotals(long rows, int heads) {}
