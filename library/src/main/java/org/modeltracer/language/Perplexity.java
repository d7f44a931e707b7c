package org.modeltracer.language;

import org.jspecify.annotations.Nullable;

/**
 * How well a model predicts a text, beside what knows less: in nats per token, the mean of −ln p of
 * the token that follows, over the positions that count ({@link TextWindows#counts}).
 *
 * @param tokens tokens read
 * @param positions positions that counted; with 0 all that follows is NaN
 * @param notFinite positions left out, where a score is NaN or +∞
 * @param nats of the model
 * @param natsError standard error of that mean
 * @param unigramNats of a model that knows of the text how often each token is in it and nothing
 *     else: the mean of −ln(count / tokens) over the same positions
 * @param chanceNats of one that gives each token of the vocabulary the same chance: ln(vocabulary)
 * @param bitsPerByte the model's, over the bytes of the tokens predicted; null where these tokens
 *     have no text
 */
public record Perplexity(
    long tokens,
    long positions,
    long notFinite,
    double nats,
    double natsError,
    double unigramNats,
    double chanceNats,
    @Nullable Double bitsPerByte) {

  /** exp(nats), as llama-perplexity has it. */
  public double perplexity() {
    return Math.exp(nats);
  }

  /** Of the unigram model. */
  public double unigramPerplexity() {
    return Math.exp(unigramNats);
  }

  /** Of chance: the size of the vocabulary. */
  public double chancePerplexity() {
    return Math.exp(chanceNats);
  }
}
