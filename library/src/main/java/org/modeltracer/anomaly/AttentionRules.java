package org.modeltracer.anomaly;

import org.jspecify.annotations.Nullable;

/** Rules about rows of attention and about heads. Attention sinks are normal and say nothing. */
public final class AttentionRules {
  private AttentionRules() {}

  /**
   * Judges one row.
   *
   * @param keys number of visible keys
   * @param sum sum of the weights; NaN when a weight is not a number
   * @param learnedSink whether the head has a sink parameter that takes part of the weight
   *     (gpt-oss)
   */
  public static @Nullable Finding judgeRow(
      int keys, double sum, boolean learnedSink, Thresholds limits) {
    if (keys == 0) {
      return Finding.of(AnomalyKind.MASKED_ROW, "the query sees no key");
    }
    if (Double.isNaN(sum)) {
      return Finding.of(AnomalyKind.NAN, "attention weights over " + keys + " keys are NaN");
    }
    if (sum == 0 && !learnedSink) {
      return Finding.of(AnomalyKind.MASKED_ROW, "all " + keys + " attention weights are 0");
    }
    double tolerance = limits.rowSum();
    if (sum > 1 + tolerance || (sum < 1 - tolerance && !learnedSink)) {
      return Finding.of(
          AnomalyKind.ROW_SUM, "weights over %d keys sum to %.5f, not 1".formatted(keys, sum));
    }
    return null;
  }

  /** Judges what a head did so far. */
  public static @Nullable Finding judgeHead(HeadHistory head, Thresholds limits) {
    long rows = head.rows();
    if (rows >= limits.uniformRows() && head.meanEntropy() > limits.uniformEntropy()) {
      return Finding.of(
          AnomalyKind.UNIFORM_ATTENTION,
          "normalized entropy %.5f over %d rows: all keys alike"
              .formatted(head.meanEntropy(), rows));
    }
    if (rows >= limits.collapseRows() && head.votes() >= limits.collapseShare() * rows) {
      return Finding.of(
          AnomalyKind.ATTENTION_COLLAPSE,
          "at least %d of %d rows look at nothing but position %d"
              .formatted(head.votes(), rows, head.candidate()));
    }
    return null;
  }
}
