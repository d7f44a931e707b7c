package org.modeltracer.language;

import java.util.List;

/**
 * How far the predictions of a model are from the reference's, as llama-perplexity measures it.
 *
 * <p>Counted are, of every window of n tokens, the positions n/2 to n − 2 ({@link
 * TextWindows#counts}). Logarithms are natural.
 *
 * @param positions number of positions counted; with 0 all that follows is NaN
 * @param notFinite positions left out, where a score on either side is NaN or +∞
 * @param klMean mean of KL(reference ‖ model) over positions, nats
 * @param klMeanError standard error of that mean
 * @param klMedian median over positions
 * @param klP90 90th percentile, between positions interpolated
 * @param klP99 99th percentile
 * @param klMax largest
 * @param sameTop1 share of positions where both predict the same token, 0 to 1
 * @param flips positions where they do not
 * @param examples the flips of largest divergence
 * @param perplexity of the model on the text
 * @param perplexityReference of the reference on the text
 * @param perplexityDifference perplexity − perplexityReference
 */
public record LogitDivergence(
    long positions,
    long notFinite,
    double klMean,
    double klMeanError,
    double klMedian,
    double klP90,
    double klP99,
    double klMax,
    double sameTop1,
    long flips,
    List<Flip> examples,
    double perplexity,
    double perplexityReference,
    double perplexityDifference) {

  /** perplexity / perplexityReference − 1. */
  public double perplexityIncrease() {
    return perplexity / perplexityReference - 1;
  }

  /**
   * A position where the two predict different tokens.
   *
   * @param position of the token read last, counted over the whole text
   * @param reference what the reference predicts
   * @param referenceProbability the reference's probability of its prediction
   * @param predicted what the model predicts
   * @param probability the model's probability of the reference's prediction
   * @param kl divergence there
   */
  public record Flip(
      long position,
      int reference,
      double referenceProbability,
      int predicted,
      double probability,
      double kl) {}
}
