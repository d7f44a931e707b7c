package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.jgrapht.alg.flow.PushRelabelMFImpl;
import org.jgrapht.graph.DefaultWeightedEdge;
import org.jgrapht.graph.SimpleDirectedWeightedGraph;

/**
 * Attention as a layered graph: from a target position above the last layer down to source
 * positions below the first, an edge of capacity Â_l[i, j] in layer l.
 *
 * <p>Abnar and Zuidema 2020, section 3.2. Only positions between source and target can carry flow.
 * Maximum flow is JGraphT's push-relabel.
 */
final class FlowGraph {
  private final LayerMeans means;
  private final int edgeLimit;

  FlowGraph(LayerMeans means, int edgeLimit) {
    this.means = means;
    this.edgeLimit = edgeLimit;
  }

  /**
   * A maximum flow.
   *
   * @param value flow from target to source, at most 1
   * @param cutByDepth capacity of the minimum cut in each layer with attention
   * @param limit smaller of what can leave the target and what can enter the source
   * @param keptCapacity share of capacity left after the weakest edges of a large graph are
   *     dropped; below 1 the value is a lower bound
   */
  record MaxFlow(double value, double[] cutByDepth, double limit, double keptCapacity) {
    /** Index of the layer that holds most of the minimum cut. */
    int bottleneck() {
      int best = 0;
      for (int d = 1; d < cutByDepth.length; d++) {
        if (cutByDepth[d] > cutByDepth[best]) best = d;
      }
      return best;
    }
  }

  /** Most flow that can go from a target position at the top to a source position at the bottom. */
  MaxFlow maxFlow(int target, int source) {
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
    var algorithm = new PushRelabelMFImpl<>(graph, 1e-9);
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

  /**
   * Positions of the path of largest product from a target to every source: {@code [source][depth +
   * 1]}, top first.
   */
  List<int[]> strongestPaths(int target) {
    int depth = means.depth();
    int n = target + 1;
    double[] reach = new double[n];
    Arrays.fill(reach, Double.NEGATIVE_INFINITY);
    reach[target] = 0;
    int[][] from = new int[depth][n];
    for (int d = depth - 1; d >= 0; d--) {
      double[] next = new double[n];
      Arrays.fill(next, Double.NEGATIVE_INFINITY);
      for (int i = 0; i < n; i++) {
        if (reach[i] == Double.NEGATIVE_INFINITY) continue;
        double[] row = means.mixed(d, i);
        for (int j = 0; j <= i; j++) {
          double value = reach[i] + Math.log(row[j]);
          if (value > next[j]) {
            next[j] = value;
            from[d][j] = i;
          }
        }
      }
      reach = next;
    }
    var paths = new ArrayList<int[]>();
    for (int source = 0; source < n; source++) {
      int[] path = new int[depth + 1];
      path[depth] = source;
      for (int d = 0; d < depth; d++) {
        path[depth - 1 - d] = from[d][path[depth - d]];
      }
      paths.add(path);
    }
    return paths;
  }

  /** Product of Â along a path, top first. */
  double strength(int[] path) {
    double product = 1;
    int depth = means.depth();
    for (int s = 0; s < depth; s++) {
      product *= means.mixed(depth - 1 - s, path[s])[path[s + 1]];
    }
    return product;
  }
}
