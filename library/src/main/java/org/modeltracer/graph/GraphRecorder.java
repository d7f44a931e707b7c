package org.modeltracer.graph;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;

/** Makes records of the nodes of one graph as they come by, each with its sources. */
public final class GraphRecorder {
  private static final int SOURCES = 10;

  private final LlamaRuntime runtime;
  private final NodeIdentity identity;
  private final List<GraphNode> nodes = new ArrayList<>();
  private final Map<Long, GraphNode> known = new HashMap<>();
  private final Map<Long, Integer> occurrences = new HashMap<>();

  public GraphRecorder(LlamaRuntime runtime) {
    this.runtime = runtime;
    identity = new NodeIdentity(runtime);
  }

  /** The next node in execution order. */
  public GraphNode record(Tensor node) {
    GraphNode recorded = record(node.copy(), nodes.size());
    nodes.add(recorded);
    return recorded;
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
            t.opName(),
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

  /** The nodes so far, in execution order. */
  List<GraphNode> nodes() {
    return nodes;
  }
}
