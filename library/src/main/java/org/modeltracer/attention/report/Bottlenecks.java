package org.modeltracer.attention.report;

import java.util.ArrayList;
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
 * The narrowest layer in each sense of {@link BottleneckType}.
 *
 * @param means head-averaged attention
 * @param rollout of the same prompt
 * @param target position that the flow goes to
 * @param routes paths to it with their maximum flows
 */
record Bottlenecks(LayerMeans means, Rollout rollout, int target, List<Route> routes) {
  List<Bottleneck> mostSevereFirst() {
    var all = new ArrayList<Bottleneck>();
    addCut(all);
    add(all, BottleneckType.ATTENTION, missing(this::meanSpread));
    if (target < EffectiveRank.LARGEST) {
      add(all, BottleneckType.CAPACITY, missing(this::rankShare));
    }
    add(all, BottleneckType.INFORMATION, drops());
    all.sort(Comparator.comparingDouble(b -> -b.severity()));
    return all;
  }

  private void addCut(List<Bottleneck> all) {
    double[] cut = new double[means.depth()];
    double total = 0;
    for (Route route : routes) {
      for (int d = 0; d < cut.length; d++) {
        cut[d] += route.flow().cutByDepth()[d];
        total += route.flow().cutByDepth()[d];
      }
    }
    int narrowest = largest(cut);
    if (total > 0) {
      all.add(
          new Bottleneck(
              null,
              means.index(narrowest),
              BottleneckType.FLOW,
              cut[narrowest] / total,
              routes.stream()
                  .filter(route -> largest(route.flow().cutByDepth()) == narrowest)
                  .map(route -> route.path().pathId())
                  .toList()));
    }
  }

  private void add(List<Bottleneck> all, BottleneckType type, double[] severity) {
    int d = largest(severity);
    if (severity[d] <= 0) {
      return;
    }
    var moving =
        routes.stream()
            .map(Route::path)
            .filter(path -> path.flowSteps().get(means.depth() - 1 - d).headIndex() != null)
            .map(AttentionFlow.Path::pathId)
            .toList();
    HeadId head = type == BottleneckType.ATTENTION ? new HeadId(means.index(d), busiest(d)) : null;
    all.add(new Bottleneck(head, means.index(d), type, severity[d], moving));
  }

  private double[] missing(IntToDoubleFunction share) {
    return IntStream.range(0, means.depth()).mapToDouble(d -> 1 - share.applyAsDouble(d)).toArray();
  }

  private double meanSpread(int d) {
    return IntStream.rangeClosed(1, target)
        .mapToDouble(i -> means.normalizedEntropy(d, i))
        .average()
        .orElse(0);
  }

  private double rankShare(int d) {
    var rows = new ArrayList<float[]>();
    for (int i = 0; i <= target; i++) {
      double[] mixed = means.mixed(d, i);
      float[] row = new float[i + 1];
      for (int j = 0; j <= i; j++) row[j] = (float) mixed[j];
      rows.add(row);
    }
    return EffectiveRank.share(rows);
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
    for (int i = 0; i <= target; i++) {
      for (int j = 0; j <= i; j++) pairs[means.leader(d, i, j)]++;
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
