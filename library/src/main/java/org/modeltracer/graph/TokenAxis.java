package org.modeltracer.graph;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;

/**
 * Which dimensions of a tensor count the tokens of a pass.
 *
 * <p>Read off surveys of one context on one token, on two tokens, and on two sequences of one token
 * each: the dimension that grows counts them, whatever else in the model is as many by chance.
 * Where two dimensions grow, as in scores without a cache, the slower one counts queries.
 *
 * @param dimension the dimension that counts tokens: all, or those of a sequence
 * @param width its elements per token: 1, unless it counts something of each token
 * @param states whether states of a recurrence, which belong to no token, follow what tokens have
 * @param sequences the dimension that counts sequences computed side by side, each of as many
 *     tokens; -1 where {@code dimension} counts the tokens of all
 * @param outputs whether only tokens whose logits are wanted are counted
 */
public record TokenAxis(int dimension, long width, boolean states, int sequences, boolean outputs) {
  private static final int NONE = -1;

  /**
   * The axes of all nodes that have one.
   *
   * @param one graph of one token
   * @param several graph of two tokens of one sequence
   * @param parallel graph of two sequences of one token each, null where there can be but one
   */
  static NodeTable<TokenAxis> of(Graph one, Graph several, @Nullable Graph parallel) {
    NodeTable<GraphNode> byTokens = table(several);
    NodeTable<GraphNode> bySequences = parallel == null ? new NodeTable<>() : table(parallel);
    var axes = new NodeTable<TokenAxis>();
    Set<GraphNode> picked = new HashSet<>();
    for (GraphNode node : one.nodes()) {
      if (picks(node) || node.sources().stream().anyMatch(picked::contains)) {
        picked.add(node);
      }
      TokenAxis axis = of(node, byTokens.get(node), bySequences.get(node), picked.contains(node));
      if (axis != null) {
        axes.put(node, axis);
      }
    }
    return axes;
  }

  /**
   * Enters the axes of a graph that was seen once, with more tokens than one: the slowest dimension
   * that is as large, after the rows of outputs are picked the one that is as large as those.
   *
   * <p>By chance a model may have as many heads as a graph has tokens; what a softmax is taken of
   * counts queries in its second dimension, whatever the others.
   *
   * @param tokens how many tokens the graph computes
   * @param axes takes them, unless they are known from another graph
   */
  public static void enterSizes(Graph graph, long tokens, NodeTable<TokenAxis> axes) {
    Set<GraphNode> picked = new HashSet<>();
    long outputs = tokens;
    for (GraphNode node : graph.nodes()) {
      if (picks(node)) {
        outputs = node.ne().get(1);
      }
      boolean ofOutputs = picks(node) || node.sources().stream().anyMatch(picked::contains);
      if (ofOutputs) {
        picked.add(node);
      }
      TokenAxis axis = ofSize(node, ofOutputs ? outputs : tokens, ofOutputs);
      if (axis != null) {
        axes.put(node, axis);
      }
    }
  }

  private static @Nullable TokenAxis ofSize(GraphNode node, long rows, boolean outputs) {
    List<Long> ne = node.ne();
    if (rows == 1) {
      return outputs ? new TokenAxis(1, 1, false, NONE, true) : null;
    }
    for (int d = node.is(Op.SOFT_MAX) ? 1 : Tensor.DIMS - 1; d > 0; d--) {
      if (ne.get(d) == rows) {
        return new TokenAxis(d, 1, false, NONE, outputs);
      }
    }
    long streams = ne.get(Tensor.DIMS - 1);
    for (int d = Tensor.DIMS - 2; d > 0 && streams > 1; d--) {
      if (ne.get(d) * streams == rows) {
        return new TokenAxis(d, 1, false, Tensor.DIMS - 1, outputs);
      }
    }
    return null;
  }

  private static NodeTable<GraphNode> table(Graph graph) {
    var table = new NodeTable<GraphNode>();
    graph.nodes().forEach(node -> table.put(node, node));
    return table;
  }

  /** Whether this keeps the rows of tokens whose logits are wanted. */
  private static boolean picks(GraphNode node) {
    return node.is(Op.GET_ROWS)
        && !node.sources().getFirst().isLeaf()
        && node.sources().get(1).isLeaf();
  }

  private static @Nullable TokenAxis of(
      GraphNode one, @Nullable GraphNode several, @Nullable GraphNode parallel, boolean outputs) {
    // What is computed for single tokens only counts those of side by side sequences.
    GraphNode more = several == null ? parallel : several;
    int tokens = growing(one, more);
    if (more == null || tokens == NONE) {
      return null;
    }
    int sequences = growing(one, parallel);
    long width = more.ne().get(tokens) - one.ne().get(tokens);
    long rest = one.ne().get(tokens) - width;
    // What is joined to the tokens of a pass, such as the last ones of the pass before, is ahead.
    if (rest < 0 || rest > 0 && one.is(Op.CONCAT)) {
      return null;
    }
    return new TokenAxis(tokens, width, rest > 0, sequences == tokens ? NONE : sequences, outputs);
  }

  /** The slowest dimension in which a node of another survey is larger. */
  private static int growing(GraphNode one, @Nullable GraphNode other) {
    for (int d = Tensor.DIMS - 1; other != null && d >= 0; d--) {
      if (other.ne().get(d) > one.ne().get(d)) {
        return d;
      }
    }
    return NONE;
  }

  /** Elements of a surveyed node per token, 0 unless they lie together, token after token. */
  int rowWidth(List<Long> ne) {
    long size = 1;
    for (int d = 0; d < ne.size(); d++) {
      if (d > dimension && ne.get(d) > 1) {
        return 0;
      }
      size *= d < dimension ? ne.get(d) : 1;
    }
    return holdsRows() ? Math.toIntExact(size) : 0;
  }

  private boolean holdsRows() {
    return dimension > 0 && width == 1 && !states;
  }

  /** How many tokens a tensor counts; too many where it holds states beside them. */
  public long rows(Tensor t) {
    return t.ne(dimension) / width * (sequences == NONE ? 1 : t.ne(sequences));
  }

  /** Row of an element, counted in the order of a tensor's dimensions; beyond all in a state. */
  public long row(Tensor t, long element) {
    long left = element;
    long row = 0;
    for (int d = 0; d < Tensor.DIMS; d++) {
      long index = left % t.ne(d);
      left /= t.ne(d);
      if (d == dimension) {
        row += index / width;
      } else if (d == sequences) {
        row += index * (t.ne(dimension) / width);
      }
    }
    return row;
  }

  /** Whether all that a tensor has of one token comes before all that it has of the next. */
  public boolean rowByRow(Tensor t) {
    long trailing = 1;
    for (int d = dimension; d < Tensor.DIMS; d++) {
      trailing *= t.ne(d);
    }
    return holdsRows() && trailing == rows(t);
  }
}
