package org.modeltracer.lens;

/**
 * A token and how likely it is.
 *
 * @param id in the vocabulary
 * @param token its text
 * @param logit its score
 * @param probability 0 to 1
 */
public record TokenScore(int id, String token, double logit, double probability) {}
