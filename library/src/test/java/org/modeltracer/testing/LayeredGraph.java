package org.modeltracer.testing;

import org.jgrapht.alg.flow.BoykovKolmogorovMFImpl;
import org.jgrapht.alg.flow.EdmondsKarpMFImpl;
import org.jgrapht.alg.interfaces.MaximumFlowAlgorithm;
import org.jgrapht.graph.DefaultWeightedEdge;
import org.jgrapht.graph.SimpleDirectedWeightedGraph;

/**
 * Positions between layers as nodes, mixed attention as capacities of the edges between them.
 *
 * @param depth number of layers
 * @param positions number of positions
 * @param graph node {@code level * positions + position}, level 0 below the first layer
 */
public record LayeredGraph(
    int depth, int positions, SimpleDirectedWeightedGraph<Integer, DefaultWeightedEdge> graph) {
  private static final double NOTHING = 1e-12;

  /** A row of mixed attention. */
  public interface Rows {
    /** Capacities of a query in a layer, by key from 0. */
    double[] row(int layer, int query);
  }

  /** The graph of these rows. */
  public static LayeredGraph of(int depth, int positions, Rows rows) {
    var graph =
        new SimpleDirectedWeightedGraph<Integer, DefaultWeightedEdge>(DefaultWeightedEdge.class);
    for (int v = 0; v < (depth + 1) * positions; v++) {
      graph.addVertex(v);
    }
    for (int d = 0; d < depth; d++) {
      for (int i = 0; i < positions; i++) {
        double[] row = rows.row(d, i);
        for (int j = 0; j < row.length; j++) {
          if (row[j] > 0) {
            graph.setEdgeWeight(graph.addEdge((d + 1) * positions + i, d * positions + j), row[j]);
          }
        }
      }
    }
    return new LayeredGraph(depth, positions, graph);
  }

  /** Maximum flow from a target above to a source below, by Edmonds and Karp. */
  public double edmondsKarp(int target, int source) {
    return flow(new EdmondsKarpMFImpl<>(graph, NOTHING), target, source);
  }

  /** The same by Boykov and Kolmogorov, faster on large graphs. */
  public double boykovKolmogorov(int target, int source) {
    return flow(new BoykovKolmogorovMFImpl<>(graph, NOTHING), target, source);
  }

  private double flow(
      MaximumFlowAlgorithm<Integer, DefaultWeightedEdge> algorithm, int target, int source) {
    return algorithm.getMaximumFlowValue(depth * positions + target, source);
  }
}
