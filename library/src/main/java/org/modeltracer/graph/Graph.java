package org.modeltracer.graph;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;

/** The graph of a forward pass: every node in execution order, with its sources. */
public final class Graph {
  private final List<GraphNode> nodes;
  private final Map<GraphNode, List<GraphNode>> consumers = new HashMap<>();

  private Graph(List<GraphNode> nodes) {
    this.nodes = List.copyOf(nodes);
    for (GraphNode node : nodes) {
      for (GraphNode source : node.sources()) {
        consumers.computeIfAbsent(source, s -> new ArrayList<>()).add(node);
      }
    }
  }

  /** The graph of nodes that have come by elsewhere. */
  public static Graph of(GraphRecorder recorder) {
    return new Graph(recorder.nodes());
  }

  public List<GraphNode> nodes() {
    return nodes;
  }

  /** Nodes that take this tensor as a source, in execution order. */
  public List<GraphNode> consumers(GraphNode tensor) {
    return consumers.getOrDefault(tensor, List.of());
  }

  /** Whether a tensor's ancestors, not looked for beyond {@code stop}, include one. */
  boolean descendsFrom(GraphNode tensor, Predicate<GraphNode> wanted, Predicate<GraphNode> stop) {
    var seen = new HashSet<GraphNode>();
    var open = new ArrayList<GraphNode>(List.of(tensor));
    while (!open.isEmpty()) {
      GraphNode n = open.removeLast();
      if (!seen.add(n)) {
        continue;
      }
      if (wanted.test(n)) {
        return true;
      }
      if (!stop.test(n)) {
        open.addAll(n.sources());
      }
    }
    return false;
  }

  /** Records the nodes of one graph while it runs; wants no data. */
  static final class Survey implements TensorObserver {
    private final LlamaRuntime runtime;
    private final GraphRecorder recorder;
    private boolean seesAhead;

    Survey(LlamaRuntime runtime) {
      this.runtime = runtime;
      recorder = new GraphRecorder(runtime);
    }

    @Override
    public boolean wants(Tensor node) {
      long mask =
          switch (node.op()) {
            case SOFT_MAX -> node.source(1);
            case FLASH_ATTN_EXT -> node.source(3);
            default -> 0;
          };
      seesAhead |= mask != 0 && opensNext(new Tensor(runtime).at(mask));
      recorder.record(node);
      return false;
    }

    @Override
    public void observe(Tensor node) {
      throw new IllegalStateException("a survey asks for no data");
    }

    /** Whether a mask lets the first query see the second key, in an otherwise empty cache. */
    private boolean opensNext(Tensor mask) {
      while (mask.op() == Op.CPY) {
        mask.at(mask.source(0));
      }
      // What is computed has no values yet when the node that uses it is asked for; inputs have.
      if (mask.op() != Op.NONE || mask.ne(0) < 2 || mask.ne(1) < 2) {
        return false;
      }
      try (var data = new TensorData(runtime, false)) {
        MemorySegment next = data.part(mask, mask.nb(0), 1);
        return next.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0) != Float.NEGATIVE_INFINITY;
      }
    }

    /** Whether a token attends to a later one; false too where the graph had one token only. */
    boolean seesAhead() {
      return seesAhead;
    }

    Graph graph() {
      return new Graph(recorder.nodes());
    }
  }
}
