package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.ejml.data.FMatrixRMaj;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.AttentionFlow.BottleneckType;
import org.modeltracer.attention.AttentionFlow.Transformation;
import org.modeltracer.model.HeadId;

/** Computes {@link AttentionFlow} for one prompt from its kept layers and its rollout. */
final class FlowAnalysis {
  private static final double FOCUSED = 0.3;
  private static final double SPREAD = 0.7;

  private final LayerMeans means;
  private final Rollout rollout;
  private final FlowGraph graph;
  private final int target;
  private final List<AttentionFlow.Path> paths = new ArrayList<>();
  private final List<FlowGraph.MaxFlow> flows = new ArrayList<>();

  private FlowAnalysis(LayerMeans means, Rollout rollout, AttentionOptions options) {
    this.means = means;
    this.rollout = rollout;
    this.graph = new FlowGraph(means, options.flowEdges());
    this.target = Math.min(means.positions(), rollout.positions()) - 1;
  }

  static AttentionFlow of(
      @Nullable PromptTrace prompt, ResidualFlow residual, AttentionOptions options) {
    Map<Integer, AttentionFlow.LayerStats> layers = residual.means();
    String reason = prompt == null ? "no prompt is open" : prompt.flow.stopped();
    if (prompt == null
        || reason != null
        || Math.min(prompt.flow.positions(), prompt.rollout.positions()) < 2) {
      String why = reason == null ? "fewer than two positions were traced" : reason;
      return new AttentionFlow(List.of(), List.of(), null, layers, why);
    }
    return new FlowAnalysis(prompt.flow, prompt.rollout, options).compute(options, layers);
  }

  private AttentionFlow compute(
      AttentionOptions options, Map<Integer, AttentionFlow.LayerStats> layers) {
    float[] weights = rollout.row(target);
    List<int[]> strongest = graph.strongestPaths(target);
    IntStream.range(0, target)
        .filter(j -> weights[j] > 0)
        .boxed()
        .sorted(Comparator.comparingDouble(j -> -weights[j]))
        .limit(options.flowPairs())
        .forEach(source -> add(source, strongest.get(source), weights[source]));
    return new AttentionFlow(paths, bottlenecks(), efficiency(), layers, null);
  }

  private void add(int source, int[] positions, double weight) {
    var steps = new ArrayList<AttentionFlow.Step>();
    int depth = means.depth();
    int moves = 0;
    for (int s = 0; s < depth; s++) {
      int d = depth - 1 - s;
      int from = positions[s];
      int to = positions[s + 1];
      if (from != to) moves++;
      steps.add(
          new AttentionFlow.Step(
              means.index(d),
              from == to ? null : (Integer) means.leader(d, from, to),
              means.mixed(d, from)[to],
              transformation(d, from, to),
              from == to ? List.of(from) : List.of(from, to)));
    }
    FlowGraph.MaxFlow flow = graph.maxFlow(target, source);
    flows.add(flow);
    paths.add(
        new AttentionFlow.Path(
            target + "-" + source,
            source,
            target,
            steps,
            graph.strength(positions),
            moves,
            flow.value(),
            weight,
            flow.keptCapacity()));
  }

  private Transformation transformation(int d, int from, int to) {
    if (from == to) return Transformation.DIRECT;
    double share = spread(d, from);
    if (share <= FOCUSED) return Transformation.CONCENTRATION;
    return share >= SPREAD ? Transformation.DIFFUSION : Transformation.ROUTING;
  }

  /** Entropy of a head-averaged row over the largest possible, in [0, 1]. */
  private double spread(int d, int position) {
    double h = 0;
    for (int j = 0; j <= position; j++) {
      double a = means.weight(d, position, j);
      if (a > 0) h -= a * Math.log(a);
    }
    return position == 0 ? 0 : h / Math.log(position + 1.0);
  }

  private List<AttentionFlow.Bottleneck> bottlenecks() {
    var all = new ArrayList<AttentionFlow.Bottleneck>();
    double[] cut = new double[means.depth()];
    double total = 0;
    for (FlowGraph.MaxFlow flow : flows) {
      for (int d = 0; d < cut.length; d++) {
        cut[d] += flow.cutByDepth()[d];
        total += flow.cutByDepth()[d];
      }
    }
    int narrowest = largest(cut);
    var cutPaths =
        IntStream.range(0, flows.size())
            .filter(p -> flows.get(p).bottleneck() == narrowest)
            .mapToObj(p -> paths.get(p).pathId())
            .toList();
    if (total > 0) {
      double share = cut[narrowest] / total;
      all.add(
          new AttentionFlow.Bottleneck(
              null, means.index(narrowest), BottleneckType.FLOW, share, cutPaths));
    }
    add(all, BottleneckType.ATTENTION, missing(this::meanSpread));
    if (target < EffectiveRank.LARGEST) {
      add(all, BottleneckType.CAPACITY, missing(this::rankShare));
    }
    add(all, BottleneckType.INFORMATION, drops());
    all.sort(Comparator.comparingDouble(b -> -b.severity()));
    return all;
  }

  private void add(List<AttentionFlow.Bottleneck> all, BottleneckType type, double[] severity) {
    int d = largest(severity);
    if (severity[d] <= 0) {
      return;
    }
    var moving =
        paths.stream()
            .filter(path -> path.flowSteps().get(means.depth() - 1 - d).headIndex() != null)
            .map(AttentionFlow.Path::pathId)
            .toList();
    HeadId head = type == BottleneckType.ATTENTION ? new HeadId(means.index(d), busiest(d)) : null;
    all.add(new AttentionFlow.Bottleneck(head, means.index(d), type, severity[d], moving));
  }

  private double[] missing(IntToDoubleFunction share) {
    return IntStream.range(0, means.depth()).mapToDouble(d -> 1 - share.applyAsDouble(d)).toArray();
  }

  private double meanSpread(int d) {
    return IntStream.rangeClosed(1, target).mapToDouble(i -> spread(d, i)).average().orElse(0);
  }

  private double rankShare(int d) {
    int n = target + 1;
    var matrix = new FMatrixRMaj(n, n);
    for (int i = 0; i < n; i++) {
      double[] row = means.mixed(d, i);
      for (int j = 0; j <= i; j++) matrix.set(i, j, (float) row[j]);
    }
    return EffectiveRank.ofMatrix(matrix) / n;
  }

  /** Relative drop of exp H of the rollout's rows in each layer, 0 where it grows. */
  private double[] drops() {
    double[] entropy = rollout.entropyByLayer();
    double[] drops = new double[means.depth()];
    for (int d = 0; d < drops.length && d < entropy.length; d++) {
      double before = d == 0 ? 0 : entropy[d - 1];
      drops[d] = Math.max(0, 1 - Math.exp(entropy[d] - before));
    }
    return drops;
  }

  private int busiest(int d) {
    int[] count = new int[1 << 15];
    for (int i = 0; i <= target; i++) {
      for (int j = 0; j <= i; j++) count[means.leader(d, i, j)]++;
    }
    int best = 0;
    for (int h = 1; h < count.length; h++) {
      if (count[h] > count[best]) best = h;
    }
    return best;
  }

  private static int largest(double[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      if (values[i] > values[best]) best = i;
    }
    return best;
  }

  private AttentionFlow.@Nullable Efficiency efficiency() {
    if (paths.isEmpty()) {
      return null;
    }
    double flow = 0;
    double redundancy = 0;
    double impact = 0;
    for (int p = 0; p < paths.size(); p++) {
      AttentionFlow.Path path = paths.get(p);
      flow += path.maxFlow();
      redundancy += path.rollout() > 0 ? Math.max(0, 1 - path.totalStrength() / path.rollout()) : 0;
      double limit = flows.get(p).limit();
      impact += limit > 0 ? Math.clamp(1 - path.maxFlow() / limit, 0, 1) : 0;
    }
    int n = paths.size();
    return new AttentionFlow.Efficiency(flow / n, preservation(), redundancy / n, impact / n, n);
  }

  private @Nullable Double preservation() {
    int n = target + 1;
    if (n > EffectiveRank.LARGEST) {
      return null;
    }
    var matrix = new FMatrixRMaj(n, n);
    for (int i = 0; i < n; i++) {
      float[] row = rollout.row(i);
      for (int j = 0; j <= i; j++) matrix.set(i, j, row[j]);
    }
    return EffectiveRank.ofMatrix(matrix) / n;
  }
}
