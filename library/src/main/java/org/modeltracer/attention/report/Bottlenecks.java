package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.modeltracer.attention.LayerMeans;
import org.modeltracer.attention.Rollout;
import org.modeltracer.attention.report.AttentionFlow.Bottleneck;
import org.modeltracer.attention.report.AttentionFlow.BottleneckType;
import org.modeltracer.attention.report.FlowAnalysis.Route;
import org.modeltracer.model.HeadId;

/**
 * The narrowest layer in each sense of {@link BottleneckType}, where it is clearly narrower than
 * the others: docs/definitions/flow.md.
 *
 * @param means head-averaged attention
 * @param rollout of the same prompt
 * @param positions how many of them there are
 * @param routes paths to it with their maximum flows
 */
record Bottlenecks(LayerMeans means, Rollout rollout, int positions, List<Route> routes) {
  /** Less than this much narrower is no bottleneck. */
  static final double NARROW = 0.25;

  List<Bottleneck> mostSevereFirst() {
    var all = new ArrayList<Bottleneck>();
    add(all, BottleneckType.FLOW, heldBack());
    add(all, BottleneckType.ATTENTION, narrower(this::meanSpread));
    if (positions <= EffectiveRank.LARGEST) {
      add(all, BottleneckType.CAPACITY, narrower(this::rankShare));
    }
    add(all, BottleneckType.INFORMATION, drops());
    all.sort(Comparator.comparingDouble(b -> -b.severity()));
    return all;
  }

  private void add(List<Bottleneck> all, BottleneckType type, double[] severity) {
    int d = largest(severity);
    if (!(severity[d] >= NARROW)) {
      return;
    }
    var moving =
        routes.stream()
            .map(Route::path)
            .filter(path -> path.flowSteps().get(means.depth() - 1 - d).head() != null)
            .map(AttentionFlow.Path::pathId)
            .toList();
    HeadId head = type == BottleneckType.ATTENTION ? new HeadId(means.index(d), busiest(d)) : null;
    all.add(new Bottleneck(head, means.index(d), type, severity[d], moving));
  }

  /**
   * What inner layers hold back of what could leave the target and enter the source, by their share
   * of the minimum cut, on the route that suffers most. Cuts in the first and the last layer are
   * about the ends: the few edges of one position.
   */
  private double[] heldBack() {
    double[] held = new double[means.depth()];
    for (Route route : routes) {
      MaxFlow flow = route.flow();
      double back = flow.limit() > 0 ? Math.max(0, 1 - flow.value() / flow.limit()) : 0;
      double cut = Arrays.stream(flow.cutByDepth()).sum();
      for (int d = 1; d < held.length - 1 && cut > 0; d++) {
        held[d] = Math.max(held[d], back * flow.cutByDepth()[d] / cut);
      }
    }
    return held;
  }

  /** How much narrower each layer is than the median of the others; 0 where it is not. */
  private double[] narrower(IntToDoubleFunction width) {
    double[] widths = IntStream.range(0, means.depth()).mapToDouble(width).toArray();
    double[] severity = new double[widths.length];
    for (int d = 0; d < widths.length && widths.length > 1; d++) {
      int own = d;
      double others =
          median(
              IntStream.range(0, widths.length)
                  .filter(other -> other != own)
                  .mapToDouble(other -> widths[other])
                  .sorted()
                  .toArray());
      severity[d] = others > 0 ? Math.max(0, 1 - widths[d] / others) : 0;
    }
    return severity;
  }

  private static double median(double[] sorted) {
    int n = sorted.length;
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
  }

  private double meanSpread(int d) {
    return IntStream.range(0, positions)
        .filter(i -> means.mean(d, i).length > 1)
        .mapToDouble(i -> means.normalizedEntropy(d, i))
        .average()
        .orElse(0);
  }

  /** Effective rank of Ā itself: the half of Â that stays would hide all else. */
  private double rankShare(int d) {
    return EffectiveRank.share(
        IntStream.range(0, positions).mapToObj(i -> means.mean(d, i)).toList());
  }

  /** Relative drop of exp H of the rollout's rows in each layer, 0 where it grows. */
  private double[] drops() {
    List<Double> entropy = rollout.entropyByLayer();
    double[] drops = new double[means.depth()];
    for (int d = 0; d < drops.length && d < entropy.size(); d++) {
      double before = d == 0 ? 0 : entropy.get(d - 1);
      drops[d] = Math.max(0, 1 - Math.exp(entropy.get(d) - before));
    }
    return drops;
  }

  /** Head that leads on most pairs of a layer. */
  private int busiest(int d) {
    double[] pairs = new double[1 << 15];
    for (int i = 0; i < positions; i++) {
      int keys = means.mean(d, i).length;
      for (int j = 0; j < keys; j++) pairs[means.leader(d, i, j)]++;
    }
    return largest(pairs);
  }

  private static int largest(double[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      if (values[i] > values[best]) best = i;
    }
    return best;
  }
}
