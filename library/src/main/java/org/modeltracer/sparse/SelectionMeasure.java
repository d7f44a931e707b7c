package org.modeltracer.sparse;

import java.util.Arrays;

/**
 * How good a selection of keys is, for one query: against the attention that all keys would get.
 *
 * @param keys keys that the query sees
 * @param selected how many of them are selected
 * @param recall share of the attention mass on selected keys, 0 to 1
 * @param best the most that as many keys could hold
 * @param recency what the most recent keys of that number hold
 * @param chance what keys of that number hold on average when chosen at random: their share
 * @param overlap share of selected keys that are among the best (overlap@k)
 * @param iou intersection over union of the selected and the best
 * @param auc probability that one of the best keys has a higher index score than another key, ties
 *     by half; NaN when all keys are selected
 * @param selectionAuc the same of selected keys: 1 wherever the selection is of the highest scores
 */
record SelectionMeasure(
    int keys,
    int selected,
    double recall,
    double best,
    double recency,
    double chance,
    double overlap,
    double iou,
    double auc,
    double selectionAuc) {

  /**
   * Measures a selection.
   *
   * @param attention weights over the keys in the order of their positions, which sum to 1
   * @param scores index scores likewise
   * @param chosen whether each is selected
   * @param n number of keys
   */
  static SelectionMeasure of(float[] attention, float[] scores, boolean[] chosen, int n) {
    int selected = 0;
    double recall = 0;
    for (int i = 0; i < n; i++) {
      selected += chosen[i] ? 1 : 0;
      recall += chosen[i] ? attention[i] : 0;
    }
    boolean[] best = largest(attention, n, selected);
    int shared = 0;
    double bestMass = 0;
    double recency = 0;
    for (int i = 0; i < n; i++) {
      shared += best[i] && chosen[i] ? 1 : 0;
      bestMass += best[i] ? attention[i] : 0;
      recency += i >= n - selected ? attention[i] : 0;
    }
    return new SelectionMeasure(
        n,
        selected,
        recall,
        bestMass,
        recency,
        (double) selected / n,
        selected == 0 ? Double.NaN : (double) shared / selected,
        selected == 0 ? Double.NaN : (double) shared / (2 * selected - shared),
        auc(scores, best, n),
        auc(scores, chosen, n));
  }

  /** Marks the {@code k} largest of the first {@code n}; of equal ones the first. */
  static boolean[] largest(float[] values, int n, int k) {
    long[] order = ascending(values, n);
    var marked = new boolean[n];
    for (int i = n - Math.min(k, n); i < n; i++) {
      marked[n - 1 - (int) order[i]] = true;
    }
    return marked;
  }

  /** The mass that the {@code k} keys of highest score hold. */
  static double mass(float[] attention, float[] scores, int n, int k) {
    long[] order = ascending(scores, n);
    double mass = 0;
    for (int i = n - Math.min(k, n); i < n; i++) {
      mass += attention[n - 1 - (int) order[i]];
    }
    return mass;
  }

  /** Values with, in the low half, their index counted from the end. */
  private static long[] ascending(float[] values, int n) {
    var order = new long[n];
    for (int i = 0; i < n; i++) {
      int bits = Float.floatToIntBits(values[i] == 0 ? 0f : values[i]);
      int ordered = bits ^ (bits >> 31 & Integer.MAX_VALUE);
      order[i] = (long) ordered << 32 | n - 1 - i;
    }
    Arrays.sort(order);
    return order;
  }

  /** Mann and Whitney's U as a share, ties by half. */
  static double auc(float[] scores, boolean[] positive, int n) {
    long[] order = ascending(scores, n);
    double below = 0;
    long positives = 0;
    int i = 0;
    long negativesSoFar = 0;
    while (i < n) {
      int end = i;
      long in = 0;
      while (end < n && order[end] >> 32 == order[i] >> 32) {
        in += positive[n - 1 - (int) order[end]] ? 1 : 0;
        end++;
      }
      long negatives = end - i - in;
      below += in * (negativesSoFar + negatives / 2.0);
      negativesSoFar += negatives;
      positives += in;
      i = end;
    }
    return positives == 0 || negativesSoFar == 0
        ? Double.NaN
        : below / ((double) positives * negativesSoFar);
  }

  static double divergence(float[] attention, float[] scores, int n) {
    return divergence(attention, scores, n, 1);
  }

  /** D(attention ‖ softmax(scale · scores)), nats. */
  static double divergence(float[] attention, float[] scores, int n, double scale) {
    double top = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < n; i++) {
      top = Math.max(top, scale * scores[i]);
    }
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += Math.exp(scale * scores[i] - top);
    }
    double log = top + Math.log(sum);
    double divergence = 0;
    for (int i = 0; i < n; i++) {
      double a = attention[i];
      divergence += a > 0 ? a * (Math.log(a) - scale * scores[i] + log) : 0;
    }
    return Math.max(0, divergence);
  }
}
