package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedPrompt;
import org.modeltracer.attention.LayerFlow;
import org.modeltracer.attention.LayerMeans;
import org.modeltracer.attention.Rollout;
import org.modeltracer.attention.report.AttentionFlow.Transformation;

/** Computes {@link AttentionFlow} of the example prompt from its layers and its rollout. */
final class FlowAnalysis {
  private static final double FOCUSED = 0.3;
  private static final double SPREAD = 0.7;

  /** A path as reported, and the maximum flow between its ends. */
  record Route(AttentionFlow.Path path, MaxFlow flow) {}

  private final LayerMeans means;
  private final Rollout rollout;
  private final int positions;
  private final int target;

  private FlowAnalysis(LayerMeans means, Rollout rollout) {
    this.means = means;
    this.rollout = rollout;
    positions = known(means, rollout);
    target = rollout.looksAhead() ? rollout.target() : positions - 1;
  }

  static AttentionFlow of(CollectedAttention collected, AnalysisContext.Bounds bounds) {
    CollectedPrompt prompt = collected.example();
    if (prompt == null) {
      return absent("no prompt is open", collected.residual());
    }
    String reason = prompt.layers().stopped();
    if (reason != null) {
      return absent(reason, collected.residual());
    }
    if (known(prompt.layers(), prompt.rollout()) < 2) {
      String stopped = prompt.rollout().stopped();
      return absent(
          stopped == null ? "fewer than two positions were traced" : stopped, collected.residual());
    }
    return new FlowAnalysis(prompt.layers(), prompt.rollout())
        .compute(bounds, collected.residual());
  }

  /** Number of positions that both know. */
  private static int known(LayerMeans means, Rollout rollout) {
    return Math.min(means.positions(), rollout.positions());
  }

  private static AttentionFlow absent(String reason, Map<Integer, LayerFlow> layers) {
    return new AttentionFlow(List.of(), List.of(), null, null, layers, reason);
  }

  private AttentionFlow compute(AnalysisContext.Bounds bounds, Map<Integer, LayerFlow> layers) {
    float[] weights = rollout.row(target);
    List<StrongestPath> strongest = StrongestPath.from(target, positions, means);
    List<Route> routes =
        IntStream.range(0, Math.min(positions, weights.length))
            .filter(j -> j != target && weights[j] > 0)
            .boxed()
            .sorted(Comparator.comparingDouble(j -> -weights[j]))
            .limit(bounds.flowPairs())
            .map(source -> route(source, strongest.get(source), weights[source]))
            .toList();
    return new AttentionFlow(
        routes.stream().map(Route::path).toList(),
        new Bottlenecks(means, rollout, positions, routes).mostSevereFirst(),
        efficiency(routes),
        TokenFlow.to(target, means),
        layers,
        null);
  }

  private Route route(int source, StrongestPath strongest, double weight) {
    var steps = new ArrayList<AttentionFlow.Step>();
    int[] stops = strongest.positions();
    int depth = means.depth();
    int moves = 0;
    for (int s = 0; s < depth; s++) {
      int d = depth - 1 - s;
      int from = stops[s];
      int to = stops[s + 1];
      if (from != to) moves++;
      steps.add(
          new AttentionFlow.Step(
              means.index(d),
              from == to ? null : (Integer) means.leader(d, from, to),
              means.mixed(d, from)[to],
              transformation(d, from, to),
              from == to ? List.of(from) : List.of(from, to)));
    }
    MaxFlow flow = MaxFlow.between(means, positions, target, source);
    var path =
        new AttentionFlow.Path(
            target + "-" + source,
            source,
            target,
            steps,
            strongest.strength(means),
            moves,
            flow.value(),
            weight);
    return new Route(path, flow);
  }

  private Transformation transformation(int d, int from, int to) {
    if (from == to) return Transformation.DIRECT;
    double share = means.normalizedEntropy(d, from);
    if (share <= FOCUSED) return Transformation.CONCENTRATION;
    return share >= SPREAD ? Transformation.DIFFUSION : Transformation.ROUTING;
  }

  private AttentionFlow.@Nullable Efficiency efficiency(List<Route> routes) {
    if (routes.isEmpty()) {
      return null;
    }
    double flow = 0;
    double redundancy = 0;
    double impact = 0;
    for (Route route : routes) {
      AttentionFlow.Path path = route.path();
      flow += path.maxFlow();
      redundancy += path.rollout() > 0 ? Math.max(0, 1 - path.totalStrength() / path.rollout()) : 0;
      double limit = route.flow().limit();
      impact += limit > 0 ? Math.clamp(1 - path.maxFlow() / limit, 0, 1) : 0;
    }
    int n = routes.size();
    return new AttentionFlow.Efficiency(flow / n, preservation(), redundancy / n, impact / n, n);
  }

  private @Nullable Double preservation() {
    return positions > EffectiveRank.LARGEST
        ? null
        : EffectiveRank.share(rollout.rows().subList(0, positions));
  }
}
