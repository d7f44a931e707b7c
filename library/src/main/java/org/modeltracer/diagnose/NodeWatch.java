package org.modeltracer.diagnose;

import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.model.RunningStats;
import org.modeltracer.model.TensorStats;
import org.modeltracer.session.RunningPass;

/**
 * Watches every node of a pass up to the first whose values are bad.
 *
 * <p>Nodes come in execution order, each judged when it is computed, before an in-place operation
 * can overwrite it: all nodes that the first bad one takes as inputs were good when it took them.
 * What remains to be judged are the leaves: weights, inputs and memory of earlier passes.
 *
 * <p>Bad is NaN and infinity; but minus infinity is how masks say no, and is passed on as such.
 */
final class NodeWatch implements TensorObserver, AutoCloseable {
  private static final Set<Op> NO_WORK =
      Set.of(Op.NONE, Op.VIEW, Op.RESHAPE, Op.PERMUTE, Op.TRANSPOSE);
  private static final Set<Op> MASKING = Set.of(Op.FILL, Op.DIAG_MASK_INF, Op.LIGHTNING_INDEXER);

  private final RunningPass pass;
  private final WatchedGraph graph;
  private final LlamaRuntime runtime;
  private final TensorData data;
  private final Tensor window;
  private final NodeInputs inputs;
  private final double largeLimit;
  private final RunningStats stats = new RunningStats();
  private @Nullable GraphNode current;
  private @Nullable BadNode bad;
  private @Nullable BadNode large;
  private int observed;

  /**
   * A watch for one pass.
   *
   * @param largeLimit magnitude from which finite values are remembered as large
   */
  NodeWatch(LlamaRuntime runtime, RunningPass pass, double largeLimit) {
    this.pass = pass;
    graph = new WatchedGraph(runtime, pass.firstLayer());
    this.runtime = runtime;
    this.largeLimit = largeLimit;
    data = new TensorData(runtime, false);
    window = new Tensor(runtime);
    inputs = new NodeInputs(runtime, pass, graph);
  }

  @Override
  public boolean wants(Tensor t) {
    if (bad != null) {
      return false;
    }
    GraphNode node = graph.record(t);
    current = node;
    if (!pass.computes(t) || NO_WORK.contains(node.op()) || !runtime.type(t.type()).convertible()) {
      return false;
    }
    node.sources().forEach(this::judgeLeaf);
    inputs.read(t, node);
    return true;
  }

  /** Inputs of the pass are read before their first use: later their memory is used again. */
  private void judgeLeaf(GraphNode source) {
    GraphNode root = source.root();
    if (!root.isLeaf()
        || root.isWeight()
        || root.isMemory()
        || graph.values(root).stats != null
        || !runtime.type(root.type()).convertible()) {
      return;
    }
    stats.reset();
    data.addTo(stats, window.at(root.address()));
    graph.values(root).stats = stats.snapshot();
    graph.values(root).masked = isMask(window);
  }

  @Override
  public void observe(Tensor t) {
    GraphNode node = current;
    if (node == null) {
      return;
    }
    observed++;
    stats.reset();
    WrittenRows rows = inputs.writtenRows();
    if (rows == null) {
      data.addTo(stats, t);
    } else {
      rows.addTo(stats, t, data);
    }
    TensorStats values = stats.snapshot();
    graph.values(node).stats = values;
    if (values.bad()) {
      boolean mask =
          convertsInput(node)
              || values.nan() == 0
                  && (MASKING.contains(node.op())
                      || node.sources().stream().anyMatch(s -> graph.values(s.root()).masked))
                  && (rows != null || isMask(t));
      graph.values(node).masked = mask;
      if (!mask) {
        bad = inputs.describe(t, node, values, stats.firstBad());
      }
    } else if (large == null && stats.absMax() > largeLimit) {
      large = inputs.describe(t, node, values, -1);
    }
    GraphNode viewed = node.viewed();
    if (viewed != null && !node.isMemory()) {
      // Written in place: what is viewed now has these values.
      graph.values(node.root()).stats = values;
      graph.values(node.root()).masked |= graph.values(node).masked;
    }
  }

  /**
   * Whether this only converts an input of the graph. Older llama.cpp pads masks with rows that no
   * token has and leaves what was in that memory; where they are used, what uses them is bad too.
   */
  private static boolean convertsInput(GraphNode node) {
    GraphNode input = node.sources().isEmpty() ? node : node.sources().getFirst().root();
    return node.is(Op.CPY) && input.isLeaf() && !input.isWeight() && !input.isMemory();
  }

  /** Whether all infinite values are negative and none is NaN. */
  private boolean isMask(Tensor t) {
    boolean[] negative = {false};
    boolean[] other = {false};
    inputs.eachValue(
        t,
        (x, offset) -> {
          negative[0] |= x == Float.NEGATIVE_INFINITY;
          other[0] |= Float.isNaN(x) || x == Float.POSITIVE_INFINITY;
          return !other[0];
        });
    return negative[0] && !other[0];
  }

  /** The first bad node, or null when all were good. */
  @Nullable BadNode bad() {
    return bad;
  }

  /** The first node with a value beyond the limit for large ones, or null. */
  @Nullable BadNode large() {
    return large;
  }

  /** Nodes whose values were read. */
  int observed() {
    return observed;
  }

  /** The graph as far as it was watched. */
  WatchedGraph graph() {
    return graph;
  }

  @Override
  public void close() {
    data.close();
    inputs.close();
  }
}
