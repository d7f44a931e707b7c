package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.HeadId;

/**
 * Which KV groups could go, by what they write and whether others write it too.
 *
 * <p>Only output norms and likeness are known, not the loss: advice to be confirmed by ablation
 * (Michel et al. 2019 show that norms and losses often disagree).
 *
 * @param recommendations groups that write less than half of an even share, least first
 * @param essential heads of the groups that write at least twice an even share
 */
public record Pruning(List<Recommendation> recommendations, List<HeadId> essential) {
  private static final double LITTLE = 0.5;
  private static final double MUCH = 2;

  /** How much a removal risks, by the group's write against an even share of its layer. */
  public enum Risk {
    /** Below a quarter of an even share. */
    LOW,
    /** Below half of it. */
    MEDIUM,
    /** Below twice of it. */
    HIGH,
    /** More. */
    CRITICAL
  }

  /**
   * What removing a KV group would change.
   *
   * @param performanceDrop proxy, not a loss: share of its layer's output norms that the group
   *     writes, times how unlike its heads' outputs are to those of the layer's other groups, 1
   *     less the largest CKA
   * @param memorySavings bytes of its Q, K, V and O slices
   * @param computationalSavings floating-point operations a token
   * @param riskLevel from the drop against an even share
   */
  public record Impact(
      double performanceDrop, long memorySavings, double computationalSavings, Risk riskLevel) {}

  /**
   * A KV group that could be removed.
   *
   * @param headToPrune first head of the group
   * @param heads all heads of the group
   * @param confidence how far the drop lies below half of an even share: 0 just below, 1 for a
   *     group that writes nothing of its own; an effect size, not a chance
   * @param expectedImpact what removal changes
   * @param normShare share of the layer's output norms, before likeness counts
   * @param reason the same in words
   * @param correlational true: nothing was ablated
   * @param rows outputs behind the norms
   */
  public record Recommendation(
      HeadId headToPrune,
      List<HeadId> heads,
      double confidence,
      Impact expectedImpact,
      double normShare,
      String reason,
      boolean correlational,
      long rows) {}

  private record Group(List<Integer> members, int layer, int index, double share, double drop) {}

  static Pruning of(
      AttentionAnalyzer analyzer,
      HeadDistances distances,
      double[] closest,
      @Nullable HeadCosts costs) {
    var advice = new ArrayList<Recommendation>();
    var essential = new ArrayList<HeadId>();
    if (costs == null) {
      return new Pruning(advice, essential);
    }
    List<Group> groups = groups(analyzer, distances, closest, costs);
    for (Group group : groups) {
      double even = 1.0 / costs.groups(group.layer);
      if (group.share >= MUCH * even) {
        group.members.forEach(i -> essential.add(analyzer.id(distances.heads[i])));
      }
      if (group.drop < LITTLE * even) {
        advice.add(recommend(analyzer, distances, group, even, costs));
      }
    }
    advice.sort(
        Comparator.comparingDouble(
            recommendation -> recommendation.expectedImpact.performanceDrop));
    return new Pruning(advice, essential);
  }

  private static List<Group> groups(
      AttentionAnalyzer analyzer, HeadDistances distances, double[] closest, HeadCosts costs) {
    var groups = new ArrayList<Group>();
    int layers = analyzer.shape.layers();
    for (int layer = 0; layer < layers; layer++) {
      double total = 0;
      for (int head : distances.heads) {
        if (analyzer.id(head).layer() == layer) total += analyzer.outputs.norm(head);
      }
      if (!(total > 0)) {
        continue;
      }
      for (int g = 0; g < costs.groups(layer); g++) {
        var members = new ArrayList<Integer>();
        double share = 0;
        double drop = 0;
        for (int i = 0; i < distances.heads.length; i++) {
          HeadId id = analyzer.id(distances.heads[i]);
          if (id.layer() == layer && costs.group(id) == g) {
            members.add(i);
            double own = analyzer.outputs.norm(distances.heads[i]) / total;
            share += own;
            drop += own * (1 - closest[i]);
          }
        }
        if (!members.isEmpty()) groups.add(new Group(members, layer, g, share, drop));
      }
    }
    return groups;
  }

  private static Recommendation recommend(
      AttentionAnalyzer analyzer,
      HeadDistances distances,
      Group group,
      double even,
      HeadCosts costs) {
    List<HeadId> heads = group.members.stream().map(i -> analyzer.id(distances.heads[i])).toList();
    long rows =
        group.members.stream().mapToLong(i -> analyzer.outputs.count(distances.heads[i])).sum();
    String reason =
        String.format(
            Locale.ROOT,
            "writes %.1f %% of its layer's output norms (even share %.1f %%), %.1f %% when what"
                + " other heads do too is taken off; confirm by ablation",
            100 * group.share,
            100 * even,
            100 * group.drop);
    var impact =
        new Impact(
            group.drop,
            costs.bytes(group.layer, group.index),
            costs.flops(group.layer, group.index),
            risk(group.drop / even));
    return new Recommendation(
        heads.get(0),
        heads,
        1 - group.drop / (LITTLE * even),
        impact,
        group.share,
        reason,
        true,
        rows);
  }

  private static Risk risk(double shares) {
    if (shares < 0.25) return Risk.LOW;
    if (shares < LITTLE) return Risk.MEDIUM;
    return shares < MUCH ? Risk.HIGH : Risk.CRITICAL;
  }
}
