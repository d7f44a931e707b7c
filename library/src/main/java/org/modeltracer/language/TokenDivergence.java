package org.modeltracer.language;

/**
 * What two models predicted of one token of a text.
 *
 * @param position of the token, over the whole text
 * @param probability that the model gave it
 * @param referenceProbability that the reference gave it
 * @param kl D(reference ‖ model) of the distributions that it was drawn from, nats
 */
public record TokenDivergence(
    long position, double probability, double referenceProbability, double kl) {}
