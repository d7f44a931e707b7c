package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.LayerFlow;
import org.modeltracer.attention.Measure;
import org.modeltracer.model.HeadId;

/**
 * Which KV groups could go together, by what they write and whether those that stay write it too.
 *
 * <p>Only outputs are known, not the loss (Michel et al. 2019 show how often they disagree): the
 * verdict is "not enough evidence" unless a measured bound says that next to nothing is lost.
 *
 * @param recommendations groups in the order of removal, each judged with all before it
 * @param essential heads whose write or role says that the model needs them, and why
 */
public record Pruning(
    List<Recommendation> recommendations, NavigableMap<HeadId, String> essential) {
  /** Heads of a layer, at most, of which groups are weighed against each other, all with all. */
  static final int MOST_HEADS = 256;

  private static final double LITTLE = 0.5;
  private static final double TWICE = 2;
  private static final double SAFE = 0.01;
  private static final double SMALL = 0.05;
  private static final double LARGE = 0.2;

  /** What the evidence allows to say. */
  public enum Verdict {
    /** The default: to be settled by ablation. */
    NOT_ENOUGH_EVIDENCE,
    /** The risk is low by a measured bound. */
    CANDIDATE
  }

  /**
   * How much a removal risks, by {@link Impact#residualShare}.
   *
   * <p>Against zeroing single heads of two trained models: at most 0.02 nats of loss below 0.02, at
   * most 0.1 below 0.1, up to 3.7 above 0.2.
   */
  public enum Risk {
    /** No bound was measured. */
    UNKNOWN,
    /** At most 0.01. */
    LOW,
    /** At most 0.05. */
    MEDIUM,
    /** At most 0.2. */
    HIGH,
    /** More. */
    CRITICAL
  }

  /**
   * What removing a KV group, and all groups before it in the list, would change.
   *
   * @param performanceDrop proxy, not a loss: share of its layer's output norms that the layer's
   *     groups removed so far write, times how unlike their outputs are to those of the heads that
   *     stay, 1 less the largest CKA
   * @param residualShare sum over all heads removed so far, of all layers, of the mean norm of what
   *     they write over the mean norm of the residual stream that leaves their layer: a bound on
   *     their joint write by the triangle inequality; null where the stream's norms are unknown
   * @param memorySavings bytes of the group's own Q, K, V and O slices
   * @param computationalSavings floating-point operations per token of the group
   * @param riskLevel from the residual share
   */
  public record Impact(
      double performanceDrop,
      @Nullable Double residualShare,
      long memorySavings,
      double computationalSavings,
      Risk riskLevel) {}

  /**
   * A KV group that writes little.
   *
   * @param headToPrune first head of the group
   * @param heads all heads of the group
   * @param verdict what the evidence allows to say of removing it and all before it
   * @param confidence 0 without enough evidence; else how far the drop lies below half of an even
   *     share: 0 just below, 1 for groups that write nothing of their own; an effect size
   * @param expectedImpact what removal changes
   * @param normShare the group's share of its layer's output norms, before likeness counts
   * @param reason the same in words
   * @param correlational true: nothing was ablated
   * @param rows outputs behind the norms
   */
  public record Recommendation(
      HeadId headToPrune,
      List<HeadId> heads,
      Verdict verdict,
      double confidence,
      Impact expectedImpact,
      double normShare,
      String reason,
      boolean correlational,
      long rows) {}

  /** The seen heads of a KV group, by place in the list of heads. */
  private record Group(int layer, int index, List<Integer> heads) {}

  /** A group to be removed next, and what the layer's removed groups then lose together. */
  private record Step(Group group, double drop, double ofEvenShare) {}

  /** Advice from what heads wrote. */
  static Pruning of(
      CollectedAttention collected,
      List<LabelledHead> labelled,
      Cka cka,
      @Nullable HeadCosts costs) {
    var writes = Writes.of(collected);
    var essential = essential(labelled, writes);
    var advice = new ArrayList<Recommendation>();
    if (costs != null) {
      var layers = candidates(writes, essential.keySet(), costs);
      var removed = new HashSet<Integer>();
      var next = new TreeMap<Integer, Step>();
      for (int layer : layers.keySet()) {
        propose(layer, layers, removed, writes, cka, costs, next);
      }
      double bound = 0;
      while (!next.isEmpty()) {
        Step step = Collections.min(next.values(), Comparator.comparingDouble(Step::ofEvenShare));
        Group group = step.group;
        removed.addAll(group.heads);
        for (int head : group.heads) bound += writes.ofResidual(head);
        advice.add(recommend(step, bound, writes, costs));
        layers.getOrDefault(group.layer, List.of()).remove(group);
        propose(group.layer, layers, removed, writes, cka, costs, next);
      }
    }
    return new Pruning(advice, essential);
  }

  /** Notes which group of a layer would go next, if any can. */
  private static void propose(
      int layer,
      Map<Integer, List<Group>> left,
      Set<Integer> removed,
      Writes writes,
      Cka cka,
      HeadCosts costs,
      Map<Integer, Step> next) {
    next.remove(layer);
    left.getOrDefault(layer, List.of()).stream()
        .map(group -> step(group, removed, writes, cka, costs))
        .filter(step -> step.ofEvenShare < LITTLE)
        .min(Comparator.comparingDouble(Step::ofEvenShare))
        .ifPresent(step -> next.put(layer, step));
  }

  /**
   * What every head writes, by place in the list of heads.
   *
   * @param layers places of each layer's heads
   */
  private record Writes(
      List<CollectedHead> heads,
      Map<Integer, List<Integer>> layers,
      Map<Integer, LayerFlow> residual) {
    static Writes of(CollectedAttention collected) {
      List<CollectedHead> heads = collected.heads();
      var layers =
          IntStream.range(0, heads.size())
              .boxed()
              .collect(Collectors.groupingBy(i -> heads.get(i).id().layer()));
      return new Writes(heads, layers, collected.residual());
    }

    HeadId id(int head) {
      return heads.get(head).id();
    }

    double norm(int head) {
      return heads.get(head).meanOutputNorm();
    }

    List<Integer> inLayer(int layer) {
      return layers.getOrDefault(layer, List.of());
    }

    /** Sum over the heads of a layer. */
    double ofLayer(int layer) {
      return inLayer(layer).stream().mapToDouble(this::norm).sum();
    }

    /** Mean norm over that of the stream that leaves the layer, NaN when one is unknown. */
    double ofResidual(int head) {
      LayerFlow flow = residual.get(id(head).layer());
      return flow == null ? Double.NaN : norm(head) / flow.outgoingFlow();
    }
  }

  private static NavigableMap<HeadId, String> essential(
      List<LabelledHead> labelled, Writes writes) {
    var essential = new TreeMap<HeadId, String>();
    for (int i = 0; i < labelled.size(); i++) {
      HeadSpecialization role = labelled.get(i).specialization();
      double residual = writes.ofResidual(i);
      int layer = writes.id(i).layer();
      int others = writes.inLayer(layer).size() - 1;
      double even = others == 0 ? Double.NaN : (writes.ofLayer(layer) - writes.norm(i)) / others;
      String reason = null;
      if (role.label() == HeadSpecializationType.POSITIONAL) {
        reason = text("looks %d back in %.0f %% of rows", role.offset(), 100 * role.positional());
      } else if (role.label() != null && role.semantic() >= HeadSpecialization.SEMANTIC) {
        reason = text("matches content, %.2f beyond what distance explains", role.semantic());
      } else if (residual > LARGE) {
        reason = text("writes %.1f %% of what leaves its layer", 100 * residual);
      } else if (writes.norm(i) >= TWICE * even) {
        reason =
            text("writes %.1f times as much as its layer's other heads", writes.norm(i) / even);
      }
      if (reason != null) essential.put(writes.id(i), reason);
    }
    return essential;
  }

  /** Groups of which no head is essential, by layer, where heads were seen to write. */
  private static Map<Integer, List<Group>> candidates(
      Writes writes, Set<HeadId> essential, HeadCosts costs) {
    var layers = new TreeMap<Integer, List<Group>>();
    writes.layers.forEach(
        (layer, heads) -> {
          if (!(writes.ofLayer(layer) > 0) || heads.size() > MOST_HEADS) return;
          var groups = new TreeMap<Integer, Group>();
          for (int head : heads) {
            groups
                .computeIfAbsent(
                    costs.group(writes.id(head)), g -> new Group(layer, g, new ArrayList<>()))
                .heads
                .add(head);
          }
          var free = new ArrayList<Group>(groups.values());
          free.removeIf(
              group -> group.heads.stream().map(writes::id).anyMatch(essential::contains));
          layers.put(layer, free);
        });
    return layers;
  }

  /** What the layer loses when this group goes too. */
  private static Step step(
      Group group, Set<Integer> removed, Writes writes, Cka cka, HeadCosts costs) {
    Map<Boolean, List<Integer>> goes =
        writes.inLayer(group.layer).stream()
            .collect(
                Collectors.partitioningBy(h -> removed.contains(h) || group.heads.contains(h)));
    List<Integer> gone = goes.getOrDefault(true, List.of());
    List<Integer> left = goes.getOrDefault(false, List.of());
    double all = writes.ofLayer(group.layer);
    double drop = 0;
    for (int head : gone) {
      double closest = 0;
      for (int other : left) closest = Math.max(closest, cka.between(head, other));
      drop += writes.norm(head) / all * (1 - (closest == closest ? closest : 0));
    }
    long groups = gone.stream().map(writes::id).map(costs::group).distinct().count();
    return new Step(group, drop, drop * costs.groups(group.layer) / groups);
  }

  private static Recommendation recommend(Step step, double bound, Writes writes, HeadCosts costs) {
    Group group = step.group;
    double share =
        group.heads.stream().mapToDouble(writes::norm).sum() / writes.ofLayer(group.layer);
    long rows =
        group.heads.stream().mapToLong(head -> rows(writes.heads.get(head).outputNorm())).sum();
    boolean enough = rows >= (long) Chance.FEWEST_ROWS * group.heads.size();
    Risk risk = risk(bound);
    Verdict verdict = risk == Risk.LOW && enough ? Verdict.CANDIDATE : Verdict.NOT_ENOUGH_EVIDENCE;
    String reason =
        text(
            "writes %.1f %% of its layer's output norms (even share %.1f %%)",
            100 * share, 100.0 / costs.groups(group.layer));
    reason +=
        bound == bound
            ? text("; with all before it at most %.1f %% of the residual stream", 100 * bound)
            : "; its part of the residual stream was not measured";
    if (verdict == Verdict.NOT_ENOUGH_EVIDENCE) reason += "; not enough evidence: ablate";
    var impact =
        new Impact(
            step.drop,
            bound == bound ? (Double) bound : null,
            costs.bytes(group.layer, group.index),
            costs.flops(group.layer, group.index),
            risk);
    List<HeadId> heads = group.heads.stream().map(writes::id).toList();
    return new Recommendation(
        heads.getFirst(),
        heads,
        verdict,
        verdict == Verdict.CANDIDATE ? 1 - step.ofEvenShare / LITTLE : 0,
        impact,
        share,
        reason,
        true,
        rows);
  }

  private static Risk risk(double residualShare) {
    if (residualShare != residualShare) return Risk.UNKNOWN;
    if (residualShare <= SAFE) return Risk.LOW;
    if (residualShare <= SMALL) return Risk.MEDIUM;
    return residualShare <= LARGE ? Risk.HIGH : Risk.CRITICAL;
  }

  /** Outputs behind a norm, 0 when none was seen. */
  static long rows(@Nullable Measure norm) {
    return norm == null ? 0 : norm.rows();
  }

  private static String text(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
