package org.modeltracer.sparse.patterns;

/**
 * A fixed rule that keeps enough of a head's attention.
 *
 * @param form the rule
 * @param parameter distance, stride, or size of blocks: the one with which it keeps fewest keys
 * @param mass mean share of the attention mass kept, 0 to 1
 * @param keys mean number of keys kept
 * @param share keys kept over keys in sight, all rows together
 */
public record FixedPattern(FixedForm form, int parameter, double mass, double keys, double share) {}
