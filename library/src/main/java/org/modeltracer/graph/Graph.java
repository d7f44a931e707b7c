package org.modeltracer.graph;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;

/** The graph of a forward pass: every node in execution order, with its sources. */
public final class Graph {
  private static final int SOURCES = 10;

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

  public List<GraphNode> nodes() {
    return nodes;
  }

  /** Nodes that take this tensor as a source, in execution order. */
  public List<GraphNode> consumers(GraphNode tensor) {
    return consumers.getOrDefault(tensor, List.of());
  }

  /** Leaves of the graph, each once, in order of first use. */
  List<GraphNode> leaves() {
    var leaves = new ArrayList<GraphNode>();
    var seen = new HashSet<GraphNode>();
    for (GraphNode node : nodes) {
      for (GraphNode source : node.sources()) {
        GraphNode leaf = source;
        while (leaf.viewed() != null) {
          leaf = leaf.viewed();
        }
        if (leaf.isLeaf() && seen.add(leaf)) {
          leaves.add(leaf);
        }
      }
    }
    return leaves;
  }

  /** Whether a tensor's ancestors, not looked for beyond {@code stop}, include such a one. */
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
    private final NodeIdentity identity;
    private final List<GraphNode> nodes = new ArrayList<>();
    private final Map<Long, GraphNode> known = new HashMap<>();
    private final Map<Long, Integer> occurrences = new HashMap<>();

    private boolean seesAhead;

    Survey(LlamaRuntime runtime) {
      this.runtime = runtime;
      this.identity = new NodeIdentity(runtime);
    }

    @Override
    public boolean wants(Tensor node) {
      long mask =
          switch (node.op()) {
            case "SOFT_MAX" -> node.source(1);
            case "FLASH_ATTN_EXT" -> node.source(3);
            default -> 0;
          };
      seesAhead |= mask != 0 && opensNext(new Tensor(runtime).at(mask));
      nodes.add(record(node.copy(), nodes.size()));
      return false;
    }

    @Override
    public void observe(Tensor node) {
      throw new IllegalStateException("a survey asks for no data");
    }

    /** Whether a mask lets the first query see the second key, in an otherwise empty cache. */
    private boolean opensNext(Tensor mask) {
      while (mask.op().equals("CPY")) {
        mask.at(mask.source(0));
      }
      // What is computed has no values yet when the node that uses it is asked for; inputs have.
      if (!mask.op().equals("NONE") || mask.ne(0) < 2 || mask.ne(1) < 2) {
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

    private GraphNode record(Tensor t, int index) {
      var sources = new ArrayList<GraphNode>();
      for (int i = 0; i < SOURCES; i++) {
        long source = t.source(i);
        // A cast names itself as its second source.
        if (source != 0 && source != t.address()) {
          sources.add(reference(source));
        }
      }
      long viewed = t.viewSource();
      long id = identity.of(t);
      var node =
          new GraphNode(
              index,
              t.address(),
              original(t.name()),
              t.operation(),
              t.op(),
              t.type(),
              List.of(t.ne(0), t.ne(1), t.ne(2), t.ne(3)),
              t.flags(),
              t.spanBytes(),
              id,
              index < 0 ? 0 : occurrences.merge(id, 1, Integer::sum) - 1,
              Collections.unmodifiableList(sources),
              viewed == 0 ? null : reference(viewed));
      known.put(t.address(), node);
      return node;
    }

    private GraphNode reference(long address) {
      GraphNode seen = known.get(address);
      if (seen == null) {
        seen = copied(new Tensor(runtime).at(address));
      }
      // Sources come before their consumers: what has not come by is a leaf.
      return seen != null ? seen : record(new Tensor(runtime).at(address), -1);
    }

    /** The node that a tensor is a copy of on another device, or null. */
    private @Nullable GraphNode copied(Tensor t) {
      String name = original(t.name());
      if (name.equals(t.name())) {
        return null;
      }
      for (int i = nodes.size() - 1; i >= 0; i--) {
        GraphNode node = nodes.get(i);
        if (node.name().equals(name) && node.elements() == t.elements()) {
          known.put(t.address(), node);
          return node;
        }
      }
      return null;
    }

    /** Without what the scheduler adds to the name of a copy: {@code RPC0#ffn_inp-2#0}. */
    private static String original(String name) {
      return name.replaceFirst("^[^#]*#(.*)#\\d+$", "$1");
    }

    Graph graph() {
      return new Graph(nodes);
    }
  }
}
