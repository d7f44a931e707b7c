package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedPrompt;
import org.modeltracer.attention.Quantity;
import org.modeltracer.attention.RetainedAttention;
import org.modeltracer.attention.RowTotals;
import org.modeltracer.model.HeadId;

/**
 * All that attention says about a model, ready to be written as JSON.
 *
 * <p>What describes one prompt (flow, attribution and scores by token) is about the example prompt:
 * the only one, or else the one whose number hashes lowest, so that merging keeps it.
 *
 * @param prompts prompts analysed
 * @param examplePrompt number of the example prompt, null when there is none
 * @param attentionWeights layers by index
 * @param twoWayHeads heads of layers without a causal mask, in order
 * @param attentionPatterns shapes in attention matrices
 * @param headSpecialization what heads are for
 * @param attentionFlow how information travels to the last position, or the first of a text that is
 *     read both ways
 * @param attentionStats the whole in a few numbers
 * @param rollout where that position's information comes from
 * @param absent what could not be computed, by field name, and why
 */
public record AttentionAnalysis(
    long prompts,
    @Nullable Long examplePrompt,
    Map<Integer, AttentionLayer> attentionWeights,
    List<TwoWayHead> twoWayHeads,
    AttentionPatterns attentionPatterns,
    Specialization headSpecialization,
    AttentionFlow attentionFlow,
    AttentionStatistics attentionStats,
    RolloutAttribution rollout,
    Map<String, String> absent) {
  /**
   * What heads are for.
   *
   * @param layerSpecialization labels of a layer's heads, in order; null where rows are too few
   * @param headClusters heads that attend alike
   * @param headTree how they are joined, from the most alike on
   * @param specializationEvolution how labels change with depth
   * @param redundancyAnalysis heads that do what others do
   */
  public record Specialization(
      Map<Integer, List<@Nullable HeadSpecializationType>> layerSpecialization,
      List<HeadCluster> headClusters,
      HeadTree headTree,
      SpecializationEvolution specializationEvolution,
      HeadRedundancy redundancyAnalysis) {}

  private static final String LABELS = "head_specialization.layer_specialization";
  private static final String CLUSTERS = "head_specialization.head_clusters";
  private static final String TREND = "head_specialization.specialization_evolution.trend";
  private static final String COMPARED = "head_specialization.head_clusters.heads";
  private static final String PRUNING =
      "head_specialization.redundancy_analysis.pruning_recommendations";

  /** The analysis of collected attention; what cannot be computed is absent, with a reason. */
  public static AttentionAnalysis of(CollectedAttention collected, AnalysisContext context) {
    CollectedPrompt example = collected.example();
    List<LabelledHead> heads = LabelledHead.all(collected);
    NavigableMap<Integer, List<LabelledHead>> layers = LabelledHead.byLayer(heads);
    NavigableMap<Integer, RowTotals> totals = collected.layers();
    var distances = HeadDistances.of(collected, context.bounds().pairWork());
    var redundancy = HeadRedundancy.of(collected, heads, distances, context.costs());
    var flow = FlowAnalysis.of(collected, context.bounds());
    var patterns = AttentionPatterns.of(collected);
    var rollout = RolloutAttribution.of(collected);
    List<HeadCluster> clusters = HeadCluster.of(heads, distances);
    Map<String, String> absent = absent(collected, context, heads, distances, flow, rollout);
    var evolution = SpecializationEvolution.of(layers);
    if (evolution.trend() == null && !layers.isEmpty()) {
      absent.putIfAbsent(
          TREND,
          "%d layers have labelled heads; no order of fewer than %d has a chance of at most %s"
              .formatted(
                  evolution.layerDistribution().size(), Chance.FEWEST_LAYERS, Chance.LARGEST));
    }
    if (clusters.isEmpty()) {
      absent.putIfAbsent(
          CLUSTERS,
          "none found: no split of the heads has a mean silhouette of %s or more"
              .formatted(Partition.STRUCTURE));
    }
    return new AttentionAnalysis(
        collected.prompts(),
        example == null ? null : (Long) example.id(),
        AttentionLayer.of(layers, totals, distances, collected),
        TwoWayHead.of(collected.twoWay()),
        patterns,
        new Specialization(
            labels(layers), clusters, HeadTree.of(heads, distances), evolution, redundancy),
        flow,
        AttentionStatistics.of(
            collected, totals, Insights.of(layers, collected.copies(), patterns, redundancy, flow)),
        rollout,
        absent);
  }

  private static Map<Integer, List<@Nullable HeadSpecializationType>> labels(
      NavigableMap<Integer, List<LabelledHead>> layers) {
    var labels = new TreeMap<Integer, List<@Nullable HeadSpecializationType>>();
    layers.forEach(
        (layer, own) -> {
          var names = new ArrayList<@Nullable HeadSpecializationType>();
          own.forEach(head -> names.add(head.label()));
          labels.put(layer, names);
        });
    return labels;
  }

  private static Map<String, String> absent(
      CollectedAttention collected,
      AnalysisContext context,
      List<LabelledHead> heads,
      HeadDistances distances,
      AttentionFlow flow,
      RolloutAttribution rollout) {
    var absent = new TreeMap<String, String>(context.absent());
    collected
        .leftOut()
        .forEach(
            (layer, query) ->
                absent.putIfAbsent(
                    "attention_weights." + layer,
                    layer >= collected.shape().layers()
                        ? "a layer of the encoder: attention is not causal"
                        : "attention is not causal, position "
                            + query
                            + " sees later ones: see two_way_heads"));
    RetainedAttention kept = collected.matrices();
    if (kept != null && !kept.whole()) {
      absent.put(
          "attention_weights.attention_matrix",
          "kept as %s in %d bytes, %d rows left out; more bytes keep more"
              .formatted(kept.precision(), kept.bytes(), kept.leftOut()));
    }
    tooFewRows(collected, heads, distances, absent);
    if (context.costs() == null) {
      absent.putIfAbsent(PRUNING, "the model's tensors were not handed in");
    } else if (collected.outputs().isEmpty()) {
      absent.putIfAbsent(PRUNING, "no head output was seen");
    }
    collected.heads().stream()
        .collect(
            Collectors.groupingBy(head -> head.id().layer(), TreeMap::new, Collectors.counting()))
        .forEach((layer, own) -> tooMany(layer, own, distances, absent));
    if (flow.reason() != null) {
      absent.putIfAbsent("attention_flow.flow_paths", flow.reason());
    }
    Set<Integer> layers = new TreeSet<>(collected.layers().keySet());
    collected.twoWay().keySet().forEach(head -> layers.add(head.layer()));
    for (int layer : layers) {
      if (!flow.layerFlowStats().isEmpty() && !flow.layerFlowStats().containsKey(layer)) {
        absent.putIfAbsent(
            "attention_flow.layer_flow_stats." + layer,
            "only some of the tokens that other layers saw leave this one, as a last layer that"
                + " nothing more is asked of");
      }
    }
    if (flow.layerFlowStats().isEmpty()) {
      absent.putIfAbsent("attention_flow.layer_flow_stats", "no residual norms were handed in");
    }
    if (rollout.reason() != null) {
      absent.putIfAbsent("rollout", rollout.reason());
    }
    return absent;
  }

  /** What is not said of a layer of so many heads. */
  private static void tooMany(
      int layer, long heads, HeadDistances distances, Map<String, String> absent) {
    if (heads > Pruning.MOST_HEADS) {
      absent.putIfAbsent(
          PRUNING,
          "not weighed in layers of more than %d heads, %d first"
              .formatted(Pruning.MOST_HEADS, layer));
    }
    if (distances.ofLayer(layer).length > EffectiveRank.LARGEST) {
      absent.put(
          "attention_weights." + layer + ".layer_patterns.diversity",
          "not computed of more than %d heads".formatted(EffectiveRank.LARGEST));
    }
  }

  /** What cannot be said of heads that showed too little. */
  private static void tooFewRows(
      CollectedAttention collected,
      List<LabelledHead> heads,
      HeadDistances distances,
      Map<String, String> absent) {
    List<HeadId> unlabelled =
        heads.stream().filter(head -> head.label() == null).map(LabelledHead::id).toList();
    if (!unlabelled.isEmpty()) {
      absent.putIfAbsent(
          LABELS,
          "%d heads, %s first, have fewer than %d rows with a choice of keys: no label; a longer"
                  .formatted(unlabelled.size(), unlabelled.getFirst(), Chance.FEWEST_ROWS)
              + " prompt or more prompts give one");
    }
    int all = collected.heads().size();
    int candidates = distances.candidates().size();
    if (candidates < all) {
      absent.put(
          COMPARED,
          "%d of %d heads, evenly spread, are compared: all would be more than the bounds on work"
                  .formatted(candidates, all)
              + " and memory allow");
    }
    List<HeadId> apart = distances.leftOut();
    if (!apart.isEmpty()) {
      absent.putIfAbsent(
          distances.heads().isEmpty() ? CLUSTERS : COMPARED,
          "%d heads, %s first, have fewer than %d sampled rows that look beyond position 0 in"
                  .formatted(apart.size(), apart.getFirst(), Chance.FEWEST_COMPARED)
              + " common with others: not compared");
    }
    if (!heads.isEmpty() && collected.all().count(Quantity.RETRIEVAL) == 0) {
      absent.putIfAbsent(
          "attention_weights.measures.retrieval",
          "in no row did what once followed its token come next, as far as the next token was"
              + " known: that of a token that is decoded is not");
    }
  }
}
