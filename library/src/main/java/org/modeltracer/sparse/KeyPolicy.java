package org.modeltracer.sparse;

import java.util.Arrays;

/** A way to keep a budget of the keys that a query sees. */
public enum KeyPolicy {
  /** The most recent ones. */
  SLIDING_WINDOW,

  /** The first four, and the most recent (StreamingLLM, Xiao 2023). */
  SINK_WINDOW,

  /** Those of the largest weights: what no selection can beat. */
  TOP_K,

  /**
   * Half of them the most recent, half those that had the largest weights so far; a key that was
   * dropped does not come back (H2O, Zhang 2023).
   */
  HEAVY_HITTERS,

  /**
   * Whole blocks of sixteen, the query's own and those whose mean key scores highest (MoBA, Lu
   * 2025).
   */
  BLOCK_TOP_K;

  static final int SINKS = 4;
  static final int BLOCK = 16;

  /** A weight of nothing, to take the logarithm of. */
  private static final double LEAST = 1e-38;

  /**
   * Marks what is kept of a row.
   *
   * @param weights over all keys, oldest first
   * @param n number of keys
   * @param hitters what the head's earlier rows left; moves on by this row under {@link
   *     #HEAVY_HITTERS}
   * @param kept {@code [key]}, is set
   */
  void keep(float[] weights, int n, int budget, HeavyHitters hitters, boolean[] kept) {
    switch (this) {
      case SLIDING_WINDOW -> recent(n, budget, kept);
      case SINK_WINDOW -> {
        recent(n, Math.max(0, budget - SINKS), kept);
        Arrays.fill(kept, 0, Math.min(n, Math.min(SINKS, budget)), true);
      }
      case TOP_K -> System.arraycopy(SelectionMeasure.largest(weights, n, budget), 0, kept, 0, n);
      case HEAVY_HITTERS -> hitters.keep(weights, n, budget, kept);
      case BLOCK_TOP_K -> blocks(weights, n, budget, kept);
    }
  }

  private static void recent(int n, int budget, boolean[] kept) {
    for (int i = 0; i < n; i++) {
      kept[i] = i >= n - budget;
    }
  }

  /** The mean of scores is the score of the mean key; scores are logarithms of weights. */
  private static void blocks(float[] weights, int n, int budget, boolean[] kept) {
    int blocks = (n + BLOCK - 1) / BLOCK;
    var score = new float[blocks];
    for (int b = 0; b < blocks; b++) {
      int end = Math.min(n, (b + 1) * BLOCK);
      double sum = 0;
      for (int i = b * BLOCK; i < end; i++) {
        sum += Math.log(Math.max(weights[i], LEAST));
      }
      score[b] = (float) (sum / (end - b * BLOCK));
    }
    score[blocks - 1] = Float.POSITIVE_INFINITY;
    boolean[] chosen = SelectionMeasure.largest(score, blocks, Math.max(1, budget / BLOCK));
    for (int i = 0; i < n; i++) {
      kept[i] = chosen[i / BLOCK];
    }
  }
}
