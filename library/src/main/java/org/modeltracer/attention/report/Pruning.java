package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
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
   * @param computationalSavings floating-point operations per token
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

  /** The seen heads of a KV group; shares of their layer's output norms. */
  private record Group(
      int layer, int index, List<CollectedHead> heads, double share, double drop) {}

  /**
   * Advice from what heads wrote.
   *
   * @param closest largest likeness of each head to one outside its group, by place in the list
   */
  static Pruning of(CollectedAttention collected, double[] closest, @Nullable HeadCosts costs) {
    var advice = new ArrayList<Recommendation>();
    var essential = new ArrayList<HeadId>();
    if (costs == null) {
      return new Pruning(advice, essential);
    }
    for (Group group : groups(collected, closest, costs)) {
      double even = 1.0 / costs.groups(group.layer);
      if (group.share >= MUCH * even) {
        group.heads.forEach(head -> essential.add(head.id()));
      }
      if (group.drop < LITTLE * even) {
        advice.add(recommend(group, even, costs));
      }
    }
    advice.sort(
        Comparator.comparingDouble(
            recommendation -> recommendation.expectedImpact.performanceDrop));
    return new Pruning(advice, essential);
  }

  private static List<Group> groups(
      CollectedAttention collected, double[] closest, HeadCosts costs) {
    List<CollectedHead> heads = collected.heads();
    var groups = new ArrayList<Group>();
    for (int layer = 0; layer < collected.shape().layers(); layer++) {
      double total = 0;
      for (CollectedHead head : heads) {
        if (head.id().layer() == layer) total += head.meanOutputNorm();
      }
      if (!(total > 0)) {
        continue;
      }
      for (int g = 0; g < costs.groups(layer); g++) {
        var members = new ArrayList<CollectedHead>();
        double share = 0;
        double drop = 0;
        for (int i = 0; i < heads.size(); i++) {
          CollectedHead head = heads.get(i);
          if (head.id().layer() == layer && costs.group(head.id()) == g) {
            members.add(head);
            double own = head.meanOutputNorm() / total;
            share += own;
            drop += own * (1 - closest[i]);
          }
        }
        if (!members.isEmpty()) groups.add(new Group(layer, g, members, share, drop));
      }
    }
    return groups;
  }

  private static Recommendation recommend(Group group, double even, HeadCosts costs) {
    List<HeadId> heads = group.heads.stream().map(CollectedHead::id).toList();
    long rows =
        group.heads.stream()
            .map(CollectedHead::outputNorm)
            .mapToLong(norm -> norm == null ? 0 : norm.rows())
            .sum();
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
