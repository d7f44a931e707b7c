package org.modeltracer.sparse;

import org.jspecify.annotations.Nullable;

/**
 * One head of an indexer.
 *
 * @param head its number
 * @param scores what it adds to the index scores, its weight times the ReLU of its product
 * @param share its part of the sum of all heads' absolute contributions, 0 to 1
 * @param recall attention mass on the k keys that it alone would select; null where none was tested
 */
public record IndexHead(
    int head, @Nullable ScoreSummary scores, double share, @Nullable Double recall) {}
