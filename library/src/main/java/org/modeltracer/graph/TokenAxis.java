package org.modeltracer.graph;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;

/**
 * Which dimension of a tensor counts the tokens of a pass.
 *
 * <p>Read off two surveys of one context, on two tokens and on one: the dimension that doubles
 * counts them, whatever else in the model is as many by chance. Where two dimensions double, as in
 * scores without a cache, the slower one counts queries.
 *
 * @param dimension the dimension
 * @param width its elements per token: 1, but where all lies in one dimension
 * @param streams whether dimension 3 counts sequences that are computed side by side, each with its
 *     share of the tokens
 * @param outputs whether only tokens whose logits are wanted are counted
 */
public record TokenAxis(int dimension, long width, boolean streams, boolean outputs) {

  /** The axes of a graph's nodes, told by a graph of the same context on half as many tokens. */
  static Map<GraphNode, TokenAxis> of(Graph graph, Graph half) {
    var smaller = new NodeTable<GraphNode>();
    half.nodes().forEach(node -> smaller.put(node, node));
    var axes = new HashMap<GraphNode, TokenAxis>();
    var picked = new HashMap<GraphNode, Boolean>();
    for (GraphNode node : graph.nodes()) {
      boolean outputs =
          picks(node) || node.sources().stream().anyMatch(s -> picked.getOrDefault(s, false));
      picked.put(node, outputs);
      GraphNode other = smaller.get(node.identity(), node.occurrence());
      TokenAxis axis = other == null ? null : between(node, other, outputs);
      if (axis != null) {
        axes.put(node, axis);
      }
    }
    return axes;
  }

  /** Whether this keeps the rows of tokens whose logits are wanted. */
  private static boolean picks(GraphNode node) {
    return node.is(Op.GET_ROWS)
        && !node.sources().getFirst().isLeaf()
        && node.sources().get(1).isLeaf();
  }

  private static @Nullable TokenAxis between(GraphNode node, GraphNode half, boolean outputs) {
    for (int d = Tensor.DIMS - 1; d >= 0; d--) {
      if (node.ne().get(d) == 2 * half.ne().get(d)) {
        boolean streams = d < Tensor.DIMS - 1 && node.ne().getLast() == 1;
        return new TokenAxis(d, half.ne().get(d), streams, outputs);
      }
    }
    return null;
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
    return dimension == 0 || width > 1 ? 0 : Math.toIntExact(size);
  }

  /** How many tokens a tensor counts. */
  public long rows(Tensor t) {
    return t.ne(dimension) / width * (streams ? t.ne(3) : 1);
  }

  /** Row of an element, counted in the order of a tensor's dimensions. */
  public long row(Tensor t, long element) {
    long rest = element;
    long row = 0;
    for (int d = 0; d < Tensor.DIMS; d++) {
      long index = rest % t.ne(d);
      rest /= t.ne(d);
      if (d == dimension) {
        row += index / width;
      } else if (d == 3 && streams) {
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
    return dimension > 0 && width == 1 && trailing == rows(t);
  }
}
