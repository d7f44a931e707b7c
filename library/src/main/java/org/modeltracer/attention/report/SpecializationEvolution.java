package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * How what heads are for changes from layer to layer.
 *
 * @param layerDistribution heads by label, by layer; heads without a label count nowhere
 * @param transitions how the labels of one layer turn into those of the next
 * @param trend whether heads specialize more with depth, null for fewer than five layers
 * @param trendCorrelation Spearman correlation of depth with the layer's mean of 1 − mixed
 * @param trendP chance of a correlation that strong without a trend
 */
public record SpecializationEvolution(
    Map<Integer, Map<HeadSpecializationType, Integer>> layerDistribution,
    List<Transition> transitions,
    @Nullable Trend trend,
    double trendCorrelation,
    double trendP) {
  private static final double STRONG = 0.5;
  private static final double FLAT = 0.05;

  /** Course of specialization with depth. */
  public enum Trend {
    /** Correlation with depth of at least 0.5, and a chance of at most 0.05. */
    INCREASING,
    /** Correlation with depth of at most −0.5, and a chance of at most 0.05. */
    DECREASING,
    /** All layers within 0.05 of each other. */
    STABLE,
    /** None of these. */
    MIXED
  }

  /**
   * Share of heads that must change label from one layer to the next.
   *
   * <p>Heads have no identity across layers, so the least change is reported: what labels have in
   * common stays, the surplus of each shrinking label goes to the growing ones in proportion.
   */
  public record Transition(
      int fromLayer,
      int toLayer,
      HeadSpecializationType fromSpecialization,
      HeadSpecializationType toSpecialization,
      double strength) {}

  static SpecializationEvolution of(NavigableMap<Integer, List<LabelledHead>> layers) {
    var counts = new TreeMap<Integer, Map<HeadSpecializationType, Integer>>();
    layers.forEach((layer, heads) -> counts.put(layer, counts(heads)));
    counts.values().removeIf(Map::isEmpty);
    double[] means =
        counts.keySet().stream()
            .mapToDouble(layer -> specialized(layers.getOrDefault(layer, List.of())))
            .toArray();
    double correlation = Significance.trend(means);
    double p = Significance.trendBeyond(means);
    return new SpecializationEvolution(
        counts, transitions(counts), trend(means, correlation, p), correlation, p);
  }

  private static Map<HeadSpecializationType, Integer> counts(List<LabelledHead> heads) {
    var counts = new TreeMap<HeadSpecializationType, Integer>(Comparator.comparing(Enum::name));
    for (LabelledHead head : heads) {
      HeadSpecializationType label = head.label();
      if (label != null) counts.merge(label, 1, Integer::sum);
    }
    return counts;
  }

  /** Mean of 1 − mixed over the heads that showed enough to be labelled. */
  private static double specialized(List<LabelledHead> heads) {
    return heads.stream()
        .filter(head -> head.label() != null)
        .mapToDouble(head -> 1 - head.specialization().mixed())
        .average()
        .orElse(0);
  }

  private static @Nullable Trend trend(double[] means, double correlation, double p) {
    if (means.length < Chance.FEWEST_LAYERS) return null;
    double low = Arrays.stream(means).min().orElse(0);
    double high = Arrays.stream(means).max().orElse(0);
    if (high - low < FLAT) return Trend.STABLE;
    if (p > Chance.LARGEST || Math.abs(correlation) < STRONG) return Trend.MIXED;
    return correlation > 0 ? Trend.INCREASING : Trend.DECREASING;
  }

  private static List<Transition> transitions(
      NavigableMap<Integer, Map<HeadSpecializationType, Integer>> counts) {
    var transitions = new ArrayList<Transition>();
    counts.forEach(
        (layer, after) -> {
          var before = counts.lowerEntry(layer);
          if (before != null) {
            between(before.getKey(), before.getValue(), layer, after, transitions);
          }
        });
    return transitions;
  }

  private static void between(
      int fromLayer,
      Map<HeadSpecializationType, Integer> before,
      int toLayer,
      Map<HeadSpecializationType, Integer> after,
      List<Transition> out) {
    HeadSpecializationType[] types = HeadSpecializationType.values();
    double[] change = new double[types.length];
    double moved = 0;
    for (HeadSpecializationType type : types) {
      change[type.ordinal()] = share(after, type) - share(before, type);
      moved += Math.max(0, change[type.ordinal()]);
    }
    for (HeadSpecializationType from : types) {
      for (HeadSpecializationType to : types) {
        double strength =
            from == to
                ? Math.min(share(before, from), share(after, from))
                : moved == 0
                    ? 0
                    : Math.max(0, -change[from.ordinal()])
                        * Math.max(0, change[to.ordinal()])
                        / moved;
        if (strength > 0) {
          out.add(new Transition(fromLayer, toLayer, from, to, strength));
        }
      }
    }
  }

  private static double share(
      Map<HeadSpecializationType, Integer> counts, HeadSpecializationType type) {
    int all = counts.values().stream().mapToInt(x -> x).sum();
    return (double) counts.getOrDefault(type, 0) / all;
  }
}
