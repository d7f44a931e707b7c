package org.modeltracer.quant;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/** Gathers what two models predict after each position. */
final class LogitScore {
  private static final int EXAMPLES = 10;

  private final PriorityQueue<LogitDivergence.Flip> flips =
      new PriorityQueue<>(Comparator.comparingDouble(LogitDivergence.Flip::kl));
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
   * @param next the token that follows in the text
   */
  void add(long position, float[] reference, float[] other, int vocabulary, int next) {
    if (!scores(reference, vocabulary) || !scores(other, vocabulary)) {
      notFinite++;
      return;
    }
    double sumReference = logSumExp(reference, vocabulary);
    double sumOther = logSumExp(other, vocabulary);
    double kl = 0;
    for (int i = 0; i < vocabulary; i++) {
      double p = reference[i] - sumReference;
      if (p > Double.NEGATIVE_INFINITY) {
        kl += Math.exp(p) * (p - (other[i] - sumOther));
      }
    }
    int top = top(reference, vocabulary);
    int otherTop = top(other, vocabulary);
    nllReference += sumReference - reference[next];
    nll += sumOther - other[next];
    if (positions == values.length) {
      values = Arrays.copyOf(values, 2 * positions);
    }
    values[positions++] = kl;
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

  /** Whether these are scores that probabilities can be made of; −∞ rules a token out. */
  private static boolean scores(float[] logits, int n) {
    boolean any = false;
    for (int i = 0; i < n; i++) {
      if (!(logits[i] < Float.POSITIVE_INFINITY)) {
        return false;
      }
      any |= logits[i] > Float.NEGATIVE_INFINITY;
    }
    return any;
  }

  private static double logSumExp(float[] logits, int n) {
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < n; i++) {
      max = Math.max(max, logits[i]);
    }
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += Math.exp(logits[i] - max);
    }
    return max + Math.log(sum);
  }

  private static int top(float[] logits, int n) {
    int top = 0;
    for (int i = 1; i < n; i++) {
      if (logits[i] > logits[top]) {
        top = i;
      }
    }
    return top;
  }

  boolean isEmpty() {
    return positions + notFinite == 0;
  }

  LogitDivergence result() {
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
