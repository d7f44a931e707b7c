package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The analysis in short, for the summary: a map of heads and what stands out.
 *
 * @param prompts prompts analysed
 * @param heads every head that has shown a row
 * @param avgEntropy mean entropy in nats over the rows of all heads
 * @param overallSparsity share of visible keys below the threshold, all heads
 * @param rollout attribution of a position of the example prompt
 * @param insights what stands out, with evidence
 * @param absent what could not be computed, by field name, and why
 */
public record AttentionSection(
    long prompts,
    List<Head> heads,
    double avgEntropy,
    double overallSparsity,
    RolloutAttribution rollout,
    List<AttentionInsight> insights,
    Map<String, String> absent) {

  /**
   * One head in short.
   *
   * @param layer its layer
   * @param head the head
   * @param specializationType its label, null when too few rows tell
   * @param entropy mean entropy in nats
   * @param maxAttention largest weight of any row with more than one key
   * @param sparsity share of visible keys below the threshold
   * @param rows rows seen
   */
  public record Head(
      int layer,
      int head,
      @Nullable HeadSpecializationType specializationType,
      double entropy,
      double maxAttention,
      double sparsity,
      long rows) {}

  /** An analysis in short. */
  public static AttentionSection of(AttentionAnalysis whole) {
    var heads = new ArrayList<Head>();
    for (AttentionLayer layer : whole.attentionWeights().values()) {
      for (AttentionLayer.Head head : layer.heads().values()) {
        heads.add(
            new Head(
                layer.layer(),
                head.head(),
                head.specializationType(),
                head.entropy(),
                head.maxAttention(),
                head.sparsity(),
                head.rows()));
      }
    }
    AttentionStatistics stats = whole.attentionStats();
    return new AttentionSection(
        whole.prompts(),
        heads,
        stats.avgEntropy(),
        stats.sparsityDistribution().overallSparsity(),
        whole.rollout(),
        stats.insights(),
        whole.absent());
  }
}
