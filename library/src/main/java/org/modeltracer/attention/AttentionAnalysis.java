package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Everything an {@link AttentionAnalyzer} can tell, ready to be written as JSON.
 *
 * <p>What describes one prompt (flow, attribution and scores by token) is about the example prompt:
 * the only one, or else the one whose number hashes lowest, so that merging keeps it.
 *
 * @param prompts prompts analysed
 * @param examplePrompt number of the example prompt, null when there is none
 * @param attentionWeights layers by index
 * @param attentionPatterns shapes in attention matrices
 * @param headSpecialization what heads are for
 * @param attentionFlow how information travels to the last position
 * @param attentionStats the whole in a few numbers
 * @param rollout where the last position's information comes from
 * @param absent what could not be computed, by field name, and why
 */
public record AttentionAnalysis(
    long prompts,
    @Nullable Long examplePrompt,
    Map<String, AttentionLayer> attentionWeights,
    AttentionPatterns attentionPatterns,
    Specialization headSpecialization,
    AttentionFlow attentionFlow,
    AttentionStatistics attentionStats,
    RolloutAttribution rollout,
    Map<String, String> absent) {
  /**
   * What heads are for.
   *
   * @param layerSpecialization labels of a layer's heads, in order
   * @param headClusters heads that attend alike
   * @param specializationEvolution how labels change with depth
   * @param redundancyAnalysis heads that do what others do
   */
  public record Specialization(
      Map<Integer, List<HeadSpecializationType>> layerSpecialization,
      List<HeadCluster> headClusters,
      SpecializationEvolution specializationEvolution,
      HeadRedundancy redundancyAnalysis) {}

  static AttentionAnalysis of(
      AttentionAnalyzer analyzer, @Nullable HeadCosts costs, @Nullable RetainedAttention kept) {
    var absent = new TreeMap<String, String>(analyzer.absent());
    var distances =
        HeadDistances.of(analyzer.sample.entries(), analyzer.seen(), analyzer.options.pairWork());
    if (distances.rows == 0) {
      absent.putIfAbsent(
          "head_specialization.head_clusters",
          "no sampled query has rows of all heads; raise the sample's budget");
    }
    var redundancy = HeadRedundancy.of(analyzer, distances, costs);
    if (costs == null || !analyzer.outputs.any()) {
      absent.putIfAbsent(
          "head_specialization.redundancy_analysis.pruning_recommendations",
          costs == null ? "the model's tensors were not handed in" : "no head output was seen");
    }
    var labels = new TreeMap<Integer, List<HeadSpecializationType>>();
    for (int index : analyzer.seen()) {
      labels
          .computeIfAbsent(analyzer.id(index).layer(), l -> new ArrayList<>())
          .add(analyzer.specialization(index).label());
    }
    PromptTrace example = analyzer.example();
    var flow = FlowAnalysis.of(example, analyzer.residual, analyzer.options);
    if (flow.reason() != null) {
      absent.putIfAbsent("attention_flow.flow_paths", flow.reason());
    }
    if (flow.layerFlowStats().isEmpty()) {
      absent.putIfAbsent("attention_flow.layer_flow_stats", "no residual norms were handed in");
    }
    var rollout = analyzer.totals.attribution(example);
    if (rollout.reason() != null) {
      absent.putIfAbsent("rollout", rollout.reason());
    }
    var patterns = AttentionPatterns.of(analyzer);
    var insights = Insights.of(analyzer, patterns, redundancy, flow);
    return new AttentionAnalysis(
        analyzer.totals.prompts(),
        example == null ? null : (Long) example.id,
        AttentionLayer.of(analyzer, distances, kept),
        patterns,
        new Specialization(
            labels,
            HeadCluster.of(analyzer, distances),
            SpecializationEvolution.of(analyzer),
            redundancy),
        flow,
        AttentionStatistics.of(analyzer, insights),
        rollout,
        absent);
  }
}
