package org.modeltracer.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.SideGraph;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/**
 * How a model makes scores of the last layer's state: final norm, output matrix, and what else its
 * graph has there, such as biases, scales and a soft-cap.
 *
 * <p>Read off the graph node by node, not known by architecture: every node between the state and
 * the logits, with the model's own tensors and parameters.
 */
public final class Unembedding {
  /** Nodes that hand on what they are given; reshaping does too where no element changes place. */
  private static final Set<Op> IDENTITY = Set.of(Op.RESHAPE, Op.CONT, Op.VIEW);

  private final GraphNode state;
  private final List<GraphNode> nodes;

  private Unembedding(GraphNode state, List<GraphNode> nodes) {
    this.state = state;
    this.nodes = List.copyOf(nodes);
  }

  /** Reads the way from the last layer to the logits off a surveyed graph. */
  public static Unembedding of(SiteMap map) {
    GraphNode logits = map.node(Place.LOGITS).orElseThrow(() -> refused("it has no output matrix"));
    GraphNode state =
        map.layers().stream()
            .reduce((a, b) -> b)
            .flatMap(last -> map.node(new Place(Site.LAYER_OUT, last)))
            .orElseThrow(() -> refused("the state after its last layer was not found"));
    var nodes = new ArrayList<GraphNode>();
    collect(logits, state, nodes);
    return new Unembedding(state, nodes);
  }

  private static void collect(GraphNode node, GraphNode state, List<GraphNode> nodes) {
    GraphNode own = same(node, state);
    if (own == state || own.isWeight() || nodes.contains(own)) {
      return;
    }
    if (own.isLeaf() || own.is(Op.GET_ROWS)) {
      throw refused("its logits depend on more than the last layer's state: on " + own);
    }
    own.sources().forEach(source -> collect(source, state, nodes));
    nodes.add(own);
  }

  /** The node whose columns these are: not moved, and not picked for being outputs. */
  private static GraphNode same(GraphNode node, GraphNode state) {
    GraphNode n = node;
    while (n != state && !n.isLeaf()) {
      GraphNode first = n.sources().getFirst();
      boolean kept = IDENTITY.contains(n.op()) && n.elements() == first.elements();
      boolean picked = n.is(Op.GET_ROWS) && !first.isLeaf();
      if (!kept && !picked) {
        return n;
      }
      n = first;
    }
    return n;
  }

  private static LlamaException refused(String reason) {
    return new LlamaException(
        LlamaException.Kind.ARGUMENT,
        "the states of this model cannot be read as scores: " + reason);
  }

  /** Width of a state. */
  public int width() {
    return Math.toIntExact(state.ne().getFirst());
  }

  /** Number of scores. */
  public int vocabulary() {
    return Math.toIntExact(nodes.getLast().ne().getFirst());
  }

  /** What is done to a state, in order, such as {@code MUL output_norm.weight}. */
  public List<String> steps() {
    return nodes.stream().map(Unembedding::described).toList();
  }

  private static String described(GraphNode node) {
    var step = new StringBuilder(node.operation().name());
    node.sources().stream()
        .filter(GraphNode::isWeight)
        .forEach(weight -> step.append(' ').append(weight.name()));
    return step.toString();
  }

  /**
   * The same operations on states of our own.
   *
   * @param threads threads that compute them on the processor
   * @param states how many states are turned into scores together
   * @throws LlamaException when ggml cannot compute them apart from the model's graph
   */
  public SideGraph graph(LlamaModel model, int threads, int states) {
    return SideGraph.of(model, threads, width(), states, this::build);
  }

  private SideGraph.Value build(SideGraph graph, SideGraph.Value input) {
    Map<GraphNode, SideGraph.Value> values = new HashMap<>();
    values.put(state, input);
    SideGraph.Value last = input;
    for (GraphNode node : nodes) {
      var sources = new ArrayList<SideGraph.Value>();
      for (GraphNode source : node.sources()) {
        GraphNode own = same(source, state);
        SideGraph.Value known = values.get(own);
        sources.add(known != null ? known : graph.weight(own.address()));
      }
      last = graph.node(node.operation(), sources);
      if (last.width() != node.ne().getFirst()) {
        throw refused("its shapes depend on the number of tokens at " + node);
      }
      values.put(node, last);
    }
    return last;
  }
}
