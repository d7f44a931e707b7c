package org.modeltracer.language;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/** Gathers what two models predict after each position. */
public final class LogitScore {
  private static final int EXAMPLES = 10;

  /** Tokens that are told one by one, at most. */
  private static final int TOKENS = 4096;

  private final PriorityQueue<LogitDivergence.Flip> flips =
      new PriorityQueue<>(Comparator.comparingDouble(LogitDivergence.Flip::kl));
  private final List<TokenDivergence> tokens = new ArrayList<>();
  private double[] values = new double[256];
  private int positions;
  private long notFinite;
  private long same;
  private double nll;
  private double nllReference;

  /**
   * Adds a position.
   *
   * @param position over the whole text
   * @param reference {@code [vocabulary]} scores, at least
   * @param other {@code [vocabulary]} scores, at least
   * @param next the token that follows in the text
   */
  public void add(long position, float[] reference, float[] other, int vocabulary, int next) {
    add(position, reference, reference[next], other, vocabulary, next);
  }

  /**
   * Adds a position of a reference that rules out what it stored as a bound only.
   *
   * @param referenceNext the reference's score of the token that follows, ruled out or not
   */
  void add(
      long position,
      float[] reference,
      float referenceNext,
      float[] other,
      int vocabulary,
      int next) {
    if (!Logits.areScores(reference, vocabulary) || !Logits.areScores(other, vocabulary)) {
      notFinite++;
      return;
    }
    double sumReference = Logits.logSumExp(reference, vocabulary);
    double sumOther = Logits.logSumExp(other, vocabulary);
    double kl = 0;
    for (int i = 0; i < vocabulary; i++) {
      double p = reference[i] - sumReference;
      if (p > Double.NEGATIVE_INFINITY) {
        kl += Math.exp(p) * (p - (other[i] - sumOther));
      }
    }
    int top = Logits.top(reference, vocabulary);
    int otherTop = Logits.top(other, vocabulary);
    nllReference += sumReference - referenceNext;
    nll += sumOther - other[next];
    if (positions == values.length) {
      values = Arrays.copyOf(values, 2 * positions);
    }
    values[positions++] = kl;
    if (tokens.size() < TOKENS) {
      tokens.add(
          new TokenDivergence(
              position + 1,
              Math.exp(other[next] - sumOther),
              Math.exp(referenceNext - sumReference),
              kl));
    }
    if (top == otherTop) {
      same++;
      return;
    }
    flips.add(
        new LogitDivergence.Flip(
            position,
            top,
            Math.exp(reference[top] - sumReference),
            otherTop,
            Math.exp(other[top] - sumOther),
            kl));
    if (flips.size() > EXAMPLES) {
      flips.remove();
    }
  }

  /** Whether no position was added. */
  public boolean isEmpty() {
    return positions + notFinite == 0;
  }

  /** The first 4,096 tokens that both predicted, in the order in which they were added. */
  public List<TokenDivergence> tokens() {
    return List.copyOf(tokens);
  }

  /** What was gathered. */
  public LogitDivergence result() {
    double[] sorted = Arrays.copyOf(values, positions);
    Arrays.sort(sorted);
    double mean = Arrays.stream(sorted).average().orElse(Double.NaN);
    double square = Arrays.stream(sorted).map(v -> v * v).average().orElse(Double.NaN);
    List<LogitDivergence.Flip> examples = new ArrayList<>(flips);
    examples.sort(Comparator.comparingDouble(LogitDivergence.Flip::kl).reversed());
    double perplexity = Math.exp(nll / positions);
    double perplexityReference = Math.exp(nllReference / positions);
    return new LogitDivergence(
        positions,
        notFinite,
        mean,
        Math.sqrt(Math.max(0, square - mean * mean) / (positions - 1)),
        percentile(sorted, 0.5),
        percentile(sorted, 0.9),
        percentile(sorted, 0.99),
        positions == 0 ? Double.NaN : sorted[positions - 1],
        (double) same / positions,
        positions - same,
        List.copyOf(examples),
        perplexity,
        perplexityReference,
        perplexity - perplexityReference);
  }

  /** Interpolated between neighbours, as llama-perplexity does. */
  private static double percentile(double[] sorted, double share) {
    if (sorted.length == 0) {
      return Double.NaN;
    }
    double at = share * (sorted.length - 1);
    int below = (int) at;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
  }
}
