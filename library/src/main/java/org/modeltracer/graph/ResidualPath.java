package org.modeltracer.graph;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.ToIntFunction;
import org.modeltracer.llama.Op;

/**
 * The residual stream of a graph, followed from the embedding from one addition to the next.
 *
 * <p>Works for sequential blocks (attention, then feed-forward), for parallel ones, for recurrent
 * layers that add once, and for post-norm models, where the stream goes on from the norm's output.
 */
final class ResidualPath {
  /**
   * One addition to the stream.
   *
   * @param before the stream it adds to
   * @param contribution what is added
   * @param after the stream that goes on, the sum or the norm of it
   */
  record Step(GraphNode before, GraphNode contribution, GraphNode after) {}

  private final Graph graph;
  private final ToIntFunction<GraphNode> layer;
  private final GraphNode embedding;
  private final List<Step> steps = new ArrayList<>();
  private final Set<GraphNode> stream = new HashSet<>();

  /**
   * Follows the stream.
   *
   * @param layer the layer that a node belongs to, -1 for none
   */
  ResidualPath(Graph graph, ToIntFunction<GraphNode> layer) {
    this.graph = graph;
    this.layer = layer;
    embedding = before();
    stream.add(embedding);
    GraphNode current = embedding;
    Optional<Step> next;
    while ((next = step(current)).isPresent()) {
      steps.add(next.get());
      current = next.get().after();
      if (!stream.add(current)) {
        break;
      }
    }
  }

  /** The stream before the first layer: what the first norm normalizes, or the first factor is. */
  private GraphNode before() {
    GraphNode start =
        graph.nodes().stream()
            .filter(n -> n.is(Op.GET_ROWS))
            .filter(n -> n.sources().getFirst().role().equals("token_embd"))
            .findFirst()
            .orElse(graph.nodes().getFirst());
    GraphNode n = start;
    // Scales, position embeddings and an embedding norm belong to the embedding; the first layer
    // begins where the stream is used twice or meets a layer's own weight.
    while (true) {
      List<GraphNode> next = graph.consumers(n);
      if (next.size() != 1 || layer(next.getFirst()) >= 0 && ownsWeight(next.getFirst())) {
        return n;
      }
      GraphNode c = next.getFirst();
      if (c.is(Op.MUL_MAT)
          || !c.ne().equals(start.ne())
          || isNorm(c) && graph.consumers(c).size() == 1 && ownsWeight(affine(graph, c))) {
        return n;
      }
      n = c;
    }
  }

  private static boolean ownsWeight(GraphNode n) {
    return n.sources().stream().anyMatch(s -> s.isLeaf() && s.name().contains("blk."));
  }

  GraphNode embedding() {
    return embedding;
  }

  List<Step> steps() {
    return steps;
  }

  /** Whether the tensor is a state of the stream itself. */
  boolean contains(GraphNode tensor) {
    return stream.contains(tensor);
  }

  private Optional<Step> step(GraphNode current) {
    return addition(current, current)
        .or(() -> normed(current).flatMap(norm -> addition(norm, norm)));
  }

  private Optional<Step> addition(GraphNode current, GraphNode before) {
    return reach(current).stream()
        .flatMap(same -> graph.consumers(same).stream())
        .filter(n -> n.is(Op.ADD) && n.index() > current.index())
        .filter(n -> n.ne().getFirst().equals(current.ne().getFirst()))
        .filter(n -> !other(n, current).origin().isLeaf())
        .min(Comparator.comparingInt(GraphNode::index))
        .map(n -> new Step(before, other(n, current), goesOn(n)));
  }

  /** A sum, or the norm of it where the layer's own norm is all that becomes of the sum. */
  private GraphNode goesOn(GraphNode sum) {
    List<GraphNode> next = graph.consumers(sum);
    if (next.size() != 1 || !isNorm(next.getFirst())) {
      return sum;
    }
    GraphNode norm = affine(graph, next.getFirst());
    boolean own =
        norm.sources().stream()
            .anyMatch(s -> s.isWeight() && s.namedLayer() >= 0 && s.namedLayer() == layer(sum));
    return own ? norm : sum;
  }

  private int layer(GraphNode n) {
    return layer.applyAsInt(n);
  }

  private static boolean isNorm(GraphNode n) {
    return n.is(Op.NORM) || n.is(Op.RMS_NORM);
  }

  /** The same state where it only moved, was scaled or reduced to the rows that become outputs. */
  private List<GraphNode> reach(GraphNode current) {
    var found = new ArrayList<GraphNode>(List.of(current));
    for (int i = 0; i < found.size(); i++) {
      for (GraphNode consumer : graph.consumers(found.get(i))) {
        boolean rows = consumer.is(Op.GET_ROWS) && consumer.source(0) == found.get(i);
        boolean same = rows || consumer.moves() || consumer.is(Op.SCALE);
        if (same && !found.contains(consumer)) {
          found.add(consumer);
        }
      }
    }
    return found;
  }

  private static GraphNode other(GraphNode addition, GraphNode current) {
    GraphNode a = addition.sources().get(0);
    GraphNode b = addition.sources().get(1);
    return before(a) == before(current) || a == current ? b : a;
  }

  /** A state before it was moved, scaled or reduced to rows. */
  private static GraphNode before(GraphNode n) {
    GraphNode o = n.origin();
    boolean rows = o.is(Op.GET_ROWS) && !o.sources().getFirst().isLeaf();
    return rows || o.is(Op.SCALE) ? before(o.sources().getFirst()) : o;
  }

  /** The norm of a state with its scale and shift, when the state goes nowhere but there. */
  private Optional<GraphNode> normed(GraphNode current) {
    for (GraphNode consumer : graph.consumers(current)) {
      if (isNorm(consumer)) {
        return Optional.of(affine(graph, consumer));
      }
    }
    return Optional.empty();
  }

  /** A norm's output after the weight and bias that follow it. */
  static GraphNode affine(Graph graph, GraphNode norm) {
    GraphNode n = norm;
    while (true) {
      GraphNode at = n;
      Optional<GraphNode> next =
          graph.consumers(n).stream()
              .filter(c -> c.is(Op.MUL) || c.is(Op.ADD))
              .filter(c -> c.sources().getFirst() == at && c.sources().get(1).isWeight())
              .findFirst();
      if (next.isEmpty()) {
        return n;
      }
      n = next.get();
    }
  }
}
