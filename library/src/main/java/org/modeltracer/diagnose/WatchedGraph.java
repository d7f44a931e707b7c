package org.modeltracer.diagnose;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.GraphRecorder;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.Place;
import org.modeltracer.model.TensorStats;

/**
 * The graph of a watched pass as far as it has run: its nodes, and what is known of their values.
 */
final class WatchedGraph {
  /** What the values of a tensor turned out to be. */
  static final class Values {
    /** Null until they are computed, or read. */
    @Nullable TensorStats stats;

    /** Whether minus infinity is among them as it is in an attention mask. */
    boolean masked;
  }

  private final GraphRecorder recorder;
  private final int firstLayer;
  private final Map<GraphNode, Values> values = new HashMap<>();
  private final Map<GraphNode, Integer> layers = new HashMap<>();
  private final Map<GraphNode, List<GraphNode>> writers = new HashMap<>();

  /**
   * An empty graph.
   *
   * @param firstLayer what is added to the layer number in a node's name
   */
  WatchedGraph(LlamaRuntime runtime, int firstLayer) {
    recorder = new GraphRecorder(runtime);
    this.firstLayer = firstLayer;
  }

  /** Records the next node in execution order. */
  GraphNode record(Tensor t) {
    GraphNode node = recorder.record(t);
    if (node.isMemory()) {
      writers.computeIfAbsent(node.root(), r -> new ArrayList<>()).add(node);
    }
    layer(node);
    return node;
  }

  /** What is known of a tensor's values; filled in when they are computed. */
  Values values(GraphNode node) {
    return values.computeIfAbsent(node, n -> new Values());
  }

  /** Largest finite magnitude of the values behind any view, 0 when they are not known. */
  double absMax(GraphNode node) {
    TensorStats stats = values(node.root()).stats;
    return stats == null || Double.isNaN(stats.max())
        ? 0
        : Math.max(Math.abs(stats.min()), Math.abs(stats.max()));
  }

  /**
   * Layer of a tensor: {@link Place#BEFORE_LAYERS} or {@link Place#AFTER_LAYERS} outside of all.
   */
  int layer(GraphNode node) {
    Integer known = layers.get(node);
    if (known == null) {
      known = layerOf(node);
      layers.put(node, known);
    }
    return known;
  }

  /** Layer as people count it: null for what comes after all of them. */
  @Nullable Integer layerOrNull(GraphNode node) {
    int layer = layer(node);
    return layer == Place.AFTER_LAYERS ? null : layer;
  }

  private int layerOf(GraphNode node) {
    if (node.namedLayer() >= 0) {
      return firstLayer + node.namedLayer();
    }
    boolean outer = false;
    int layer = Place.BEFORE_LAYERS;
    for (GraphNode source : node.sources()) {
      if (source.isLeaf() && source.namedLayer() >= 0) {
        return firstLayer + source.namedLayer();
      }
      outer |= source.isWeight();
      layer = Math.max(layer, layer(source));
    }
    // A weight outside all layers that meets what layers have made: the final norm, the output.
    return outer && layer >= 0 ? Place.AFTER_LAYERS : layer;
  }

  /**
   * All tensors that a node's values depend on, the nearest first; through memory also what this
   * pass wrote into it.
   */
  List<GraphNode> upstream(GraphNode node) {
    Map<GraphNode, Integer> distance = new LinkedHashMap<>();
    var open = new ArrayDeque<GraphNode>();
    distance.put(node, 0);
    open.add(node);
    while (!open.isEmpty()) {
      GraphNode n = open.remove();
      int next = distance.getOrDefault(n, 0) + 1;
      List<GraphNode> before = new ArrayList<>(n.sources());
      if (n.viewed() != null) {
        before.add(n.viewed());
      }
      before.addAll(writers.getOrDefault(n, List.of()));
      for (GraphNode b : before) {
        if (distance.putIfAbsent(b, next) == null) {
          open.add(b);
        }
      }
    }
    return List.copyOf(distance.keySet());
  }
}
