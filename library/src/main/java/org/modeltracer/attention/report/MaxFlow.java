package org.modeltracer.attention.report;

import java.util.Arrays;
import java.util.Set;
import java.util.stream.IntStream;
import org.jgrapht.alg.flow.PushRelabelMFImpl;
import org.jgrapht.graph.DefaultWeightedEdge;
import org.jgrapht.graph.SimpleDirectedWeightedGraph;
import org.modeltracer.attention.LayerMeans;

/**
 * Most flow that can go from a target position above the last layer down to a source below the
 * first, an edge having the capacity Â_l[i, j] in layer l.
 *
 * <p>Abnar and Zuidema 2020, section 3.2. Only positions between source and target can carry flow.
 * Computed by JGraphT's push-relabel.
 *
 * @param value flow from target to source, at most 1
 * @param cutByDepth capacity of the minimum cut in each layer with attention
 * @param limit smaller of what can leave the target and what can enter the source
 * @param keptCapacity share of capacity left after the weakest edges of a large graph are dropped;
 *     below 1 the value is a lower bound
 */
record MaxFlow(double value, double[] cutByDepth, double limit, double keptCapacity) {
  private static final double PRECISION = 1e-9;

  /** The flow between two positions of a graph that keeps about so many edges. */
  static MaxFlow between(LayerMeans means, int target, int source, int edgeLimit) {
    int width = target - source + 1;
    int depth = means.depth();
    var graph =
        new SimpleDirectedWeightedGraph<Integer, DefaultWeightedEdge>(DefaultWeightedEdge.class);
    for (int v = 0; v < (depth + 1) * width; v++) {
      graph.addVertex(v);
    }
    int perNode = Math.max(2, edgeLimit / Math.max(1, depth * width));
    double all = 0;
    double kept = 0;
    double entering = 0;
    for (int d = 0; d < depth; d++) {
      for (int i = source; i <= target; i++) {
        double[] row = means.mixed(d, i);
        for (int j : strongest(row, source, i, perNode)) {
          if (row[j] > 0) {
            kept += row[j];
            var edge = graph.addEdge((d + 1) * width + i - source, d * width + j - source);
            graph.setEdgeWeight(edge, row[j]);
          }
        }
        for (int j = source; j <= i; j++) all += row[j];
        if (d == 0) entering += row[source];
      }
    }
    int top = depth * width + target - source;
    double leaving = Arrays.stream(means.mixed(depth - 1, target), source, target + 1).sum();
    var algorithm = new PushRelabelMFImpl<>(graph, PRECISION);
    double value = algorithm.calculateMaximumFlow(top, 0);
    double[] cut = new double[depth];
    Set<Integer> above = algorithm.getSourcePartition();
    for (DefaultWeightedEdge edge : graph.edgeSet()) {
      int from = graph.getEdgeSource(edge);
      int to = graph.getEdgeTarget(edge);
      if (above.contains(from) && !above.contains(to)) {
        cut[to / width] += graph.getEdgeWeight(edge);
      }
    }
    return new MaxFlow(value, cut, Math.min(leaving, entering), all == 0 ? 1 : kept / all);
  }

  /** Keys of the largest weights, all that tie with the last of them included. */
  private static int[] strongest(double[] row, int from, int to, int limit) {
    int n = to - from + 1;
    if (n <= limit) {
      return IntStream.rangeClosed(from, to).toArray();
    }
    double[] sorted = Arrays.copyOfRange(row, from, to + 1);
    Arrays.sort(sorted);
    double least = sorted[n - limit];
    return IntStream.rangeClosed(from, to).filter(j -> row[j] >= least).toArray();
  }
}
