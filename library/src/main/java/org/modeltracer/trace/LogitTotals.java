package org.modeltracer.trace;

/**
 * Scores of the next token over the run; entropies in nats, NaN while there is no position.
 *
 * @param positions positions with finite scores
 * @param meanEntropy mean entropy of what the scores say
 * @param leastEntropy smallest of them
 * @param largestEntropy largest of them
 */
public record LogitTotals(
    long positions, double meanEntropy, double leastEntropy, double largestEntropy) {}
