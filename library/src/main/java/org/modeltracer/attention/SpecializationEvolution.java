package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * How what heads are for changes from layer to layer.
 *
 * @param layerDistribution heads by label, by layer
 * @param transitions how the labels of one layer turn into those of the next
 * @param trend whether heads specialize more with depth
 * @param trendCorrelation Spearman correlation of depth with the layer's mean of 1 − mixed
 * @param trendP chance of a correlation that strong without a trend
 */
public record SpecializationEvolution(
    Map<Integer, Map<String, Integer>> layerDistribution,
    List<Transition> transitions,
    Trend trend,
    double trendCorrelation,
    double trendP) {
  private static final double STRONG = 0.5;
  private static final double FLAT = 0.05;

  /** Course of specialization with depth. */
  public enum Trend {
    /** Correlation with depth of at least 0.5. */
    INCREASING,
    /** Correlation with depth of at most −0.5. */
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

  static SpecializationEvolution of(AttentionAnalyzer analyzer) {
    var counts = new TreeMap<Integer, EnumMap<HeadSpecializationType, Integer>>();
    var strength = new TreeMap<Integer, List<Double>>();
    for (int index : analyzer.seen()) {
      int layer = analyzer.id(index).layer();
      HeadSpecialization head = analyzer.specialization(index);
      counts
          .computeIfAbsent(layer, l -> new EnumMap<>(HeadSpecializationType.class))
          .merge(head.label(), 1, Integer::sum);
      strength.computeIfAbsent(layer, l -> new ArrayList<>()).add(1 - head.mixed());
    }
    double[] means =
        strength.values().stream()
            .mapToDouble(l -> l.stream().mapToDouble(x -> x).average().orElse(0))
            .toArray();
    double correlation = Significance.trend(means);
    var distribution = new TreeMap<Integer, Map<String, Integer>>();
    counts.forEach(
        (layer, byLabel) -> {
          var named = new TreeMap<String, Integer>();
          byLabel.forEach((label, count) -> named.put(label.id(), count));
          distribution.put(layer, named);
        });
    return new SpecializationEvolution(
        distribution,
        transitions(counts),
        trend(means, correlation),
        correlation,
        Significance.correlationBeyond(correlation, means.length));
  }

  private static Trend trend(double[] means, double correlation) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (double mean : means) {
      low = Math.min(low, mean);
      high = Math.max(high, mean);
    }
    if (high - low < FLAT) return Trend.STABLE;
    if (correlation >= STRONG) return Trend.INCREASING;
    return correlation <= -STRONG ? Trend.DECREASING : Trend.MIXED;
  }

  private static List<Transition> transitions(
      TreeMap<Integer, EnumMap<HeadSpecializationType, Integer>> counts) {
    var transitions = new ArrayList<Transition>();
    Map.Entry<Integer, EnumMap<HeadSpecializationType, Integer>> before = null;
    for (var after : counts.entrySet()) {
      if (before != null) {
        between(before, after, transitions);
      }
      before = after;
    }
    return transitions;
  }

  private static void between(
      Map.Entry<Integer, EnumMap<HeadSpecializationType, Integer>> before,
      Map.Entry<Integer, EnumMap<HeadSpecializationType, Integer>> after,
      List<Transition> out) {
    HeadSpecializationType[] types = HeadSpecializationType.values();
    double[] change = new double[types.length];
    double moved = 0;
    for (HeadSpecializationType type : types) {
      change[type.ordinal()] = share(after.getValue(), type) - share(before.getValue(), type);
      moved += Math.max(0, change[type.ordinal()]);
    }
    for (HeadSpecializationType from : types) {
      for (HeadSpecializationType to : types) {
        double strength =
            from == to
                ? Math.min(share(before.getValue(), from), share(after.getValue(), from))
                : moved == 0
                    ? 0
                    : Math.max(0, -change[from.ordinal()])
                        * Math.max(0, change[to.ordinal()])
                        / moved;
        if (strength > 0) {
          out.add(new Transition(before.getKey(), after.getKey(), from, to, strength));
        }
      }
    }
  }

  private static double share(
      EnumMap<HeadSpecializationType, Integer> counts, HeadSpecializationType type) {
    int all = counts.values().stream().mapToInt(x -> x).sum();
    return (double) counts.getOrDefault(type, 0) / all;
  }
}
