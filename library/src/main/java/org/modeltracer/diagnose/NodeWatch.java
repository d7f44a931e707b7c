package org.modeltracer.diagnose;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.model.RunningStats;
import org.modeltracer.model.TensorStats;

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
  private static final int SOURCES = 10;
  private static final Set<String> NO_WORK =
      Set.of("NONE", "VIEW", "RESHAPE", "PERMUTE", "TRANSPOSE");
  private static final Set<String> MASKING = Set.of("FILL", "DIAG_MASK_INF", "LIGHTNING_INDEXER");

  private final PassView view;
  private final LlamaRuntime runtime;
  private final TensorData data;
  private final Tensor window;
  private final NodeInputs inputs;
  private final double largeLimit;
  private final RunningStats stats = new RunningStats();
  private final Map<Long, Node> known = new HashMap<>();
  private final Map<Node, List<Node>> writers = new HashMap<>();
  private @Nullable Node current;
  private @Nullable BadNode bad;
  private @Nullable BadNode large;
  private int observed;

  /**
   * A watch for one pass.
   *
   * @param largeLimit magnitude from which finite values are remembered as large
   */
  NodeWatch(LlamaRuntime runtime, PassView view, double largeLimit) {
    this.view = view;
    this.runtime = runtime;
    this.largeLimit = largeLimit;
    data = new TensorData(runtime, false);
    window = new Tensor(runtime);
    inputs = new NodeInputs(runtime, view);
  }

  @Override
  public boolean wants(Tensor t) {
    if (bad != null || !view.computes(t)) {
      return false;
    }
    Node node = record(t);
    current = node;
    if (NO_WORK.contains(node.op()) || !runtime.type(t.type()).convertible()) {
      return false;
    }
    node.sources().forEach(this::judgeLeaf);
    inputs.read(t, node);
    return true;
  }

  private Node record(Tensor t) {
    List<Node> sources = new ArrayList<>();
    for (int i = 0; i < SOURCES; i++) {
      long source = t.source(i);
      // A cast names itself as its second source.
      if (source != 0 && source != t.address()) {
        sources.add(reference(source));
      }
    }
    long viewed = t.viewSource();
    Node node =
        Node.of(t, t.op(), sources, viewed == 0 ? null : reference(viewed), view.firstLayer());
    known.put(t.address(), node);
    if (node.isMemory()) {
      writers.computeIfAbsent(node.root(), r -> new ArrayList<>()).add(node);
    }
    return node;
  }

  private Node reference(long address) {
    Node seen = known.get(address);
    // Sources come before their consumers: what has not come by is a leaf.
    return seen != null ? seen : record(new Tensor(runtime).at(address));
  }

  /** Inputs of the pass are read before their first use: later their memory is used again. */
  private void judgeLeaf(Node source) {
    Node root = source.root();
    if (!root.isLeaf()
        || root.isWeight()
        || root.isMemory()
        || root.values().stats != null
        || !runtime.type(root.type()).convertible()) {
      return;
    }
    stats.reset();
    data.addTo(stats, window.at(root.address()));
    root.values().stats = stats.snapshot();
    root.values().masked = isMask(window);
  }

  @Override
  public void observe(Tensor t) {
    Node node = current;
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
    node.values().stats = values;
    if (values.bad()) {
      boolean mask =
          convertsInput(node)
              || values.nan() == 0
                  && (MASKING.contains(node.op())
                      || node.sources().stream().anyMatch(s -> s.root().values().masked))
                  && (rows != null || isMask(t));
      node.values().masked = mask;
      if (!mask) {
        bad = inputs.describe(t, node, values, stats.firstBad());
      }
    } else if (large == null && stats.absMax() > largeLimit) {
      large = inputs.describe(t, node, values, -1);
    }
    Node viewed = node.viewed();
    if (viewed != null && !node.isMemory()) {
      // Written in place: what is viewed now has these values.
      node.root().values().stats = values;
      node.root().values().masked |= node.values().masked;
    }
  }

  /**
   * Whether this only converts an input of the graph. Older llama.cpp pads masks with rows that no
   * token has and leaves what was in that memory; where they are used, what uses them is bad too.
   */
  private static boolean convertsInput(Node node) {
    Node input = node.sources().isEmpty() ? node : node.sources().getFirst().root();
    return node.is("CPY") && input.isLeaf() && !input.isWeight() && !input.isMemory();
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

  /**
   * All tensors that a node's values depend on, the nearest first; through memory also what this
   * pass wrote into it.
   */
  List<Node> upstream(Node node) {
    Map<Node, Integer> distance = new LinkedHashMap<>();
    var open = new ArrayDeque<Node>();
    distance.put(node, 0);
    open.add(node);
    while (!open.isEmpty()) {
      Node n = open.remove();
      int next = distance.getOrDefault(n, 0) + 1;
      List<Node> before = new ArrayList<>(n.sources());
      if (n.viewed() != null) {
        before.add(n.viewed());
      }
      before.addAll(writers.getOrDefault(n, List.of()));
      for (Node b : before) {
        if (distance.putIfAbsent(b, next) == null) {
          open.add(b);
        }
      }
    }
    return List.copyOf(distance.keySet());
  }

  @Override
  public void close() {
    data.close();
    inputs.close();
  }
}
