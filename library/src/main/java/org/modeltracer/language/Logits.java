package org.modeltracer.language;

/** Scores of the tokens that may follow, as probabilities see them. */
final class Logits {
  private Logits() {}

  /** Whether these are scores that probabilities can be made of; −∞ rules a token out. */
  static boolean areScores(float[] logits, int n) {
    boolean any = false;
    for (int i = 0; i < n; i++) {
      if (!(logits[i] < Float.POSITIVE_INFINITY)) {
        return false;
      }
      any |= logits[i] > Float.NEGATIVE_INFINITY;
    }
    return any;
  }

  /** ln Σ exp, which turns scores into logarithms of probabilities. */
  static double logSumExp(float[] logits, int n) {
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

  /** The token with the highest score, the first of equals. */
  static int top(float[] logits, int n) {
    int top = 0;
    for (int i = 1; i < n; i++) {
      if (logits[i] > logits[top]) {
        top = i;
      }
    }
    return top;
  }
}
