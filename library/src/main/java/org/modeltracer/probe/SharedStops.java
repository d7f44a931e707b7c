package org.modeltracer.probe;

import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Site;

/**
 * Which watched nodes are read where their consumer is, to stop llama.cpp less often.
 *
 * <p>What a product reads is intact when the product has just been computed, as no product is made
 * in place. So a node that goes into a watched product need not be stopped at, if nothing between
 * the two is watched: what is reported comes in the same order. In all graphs of a model or in
 * none, as nodes of several graphs are told apart by what they are alone.
 */
final class SharedStops {
  /** Places whose values are all that is read of them. */
  private static final Set<Site> PLAIN =
      EnumSet.of(Site.ATTN_NORM, Site.CONTEXT, Site.FFN_NORM, Site.FFN_HIDDEN);

  /** What a node is in any graph. */
  private record Key(long identity, int occurrence) {
    static Key of(GraphNode node) {
      return new Key(node.identity(), node.occurrence());
    }
  }

  private final Map<Key, Key> consumers = new HashMap<>();
  private final Set<Key> alone = new HashSet<>();

  /** Takes the watched nodes of one graph. */
  void add(SiteMap map, Map<GraphNode, WatchedNode> watched) {
    List<GraphNode> read = map.graph().nodes().stream().filter(n -> reads(watched.get(n))).toList();
    for (int i = 0; i < read.size(); i++) {
      Key node = Key.of(read.get(i));
      Key next = i + 1 < read.size() ? consumer(watched, read.get(i), read.get(i + 1)) : null;
      Key known = next == null ? null : consumers.putIfAbsent(node, next);
      if (next == null || known != null && !known.equals(next)) {
        alone.add(node);
      }
    }
  }

  private static boolean reads(@Nullable WatchedNode watched) {
    return watched != null && watched.data;
  }

  /** The next node that is read, where it is a product of this one; else null. */
  private static @Nullable Key consumer(
      Map<GraphNode, WatchedNode> watched, GraphNode node, GraphNode next) {
    WatchedNode own = watched.get(node);
    return own != null
            && PLAIN.contains(own.place.site())
            && (next.is(Op.MUL_MAT) || next.is(Op.MUL_MAT_ID))
            && next.sources().get(1) == node
        ? Key.of(next)
        : null;
  }

  /** Has the nodes of a graph read together that can be. */
  void join(Map<GraphNode, WatchedNode> watched) {
    Map<Key, WatchedNode> known = new HashMap<>();
    watched.forEach((node, entry) -> known.put(Key.of(node), entry));
    consumers.forEach(
        (node, consumer) -> {
          WatchedNode first = known.get(node);
          WatchedNode second = known.get(consumer);
          if (first != null && second != null && !alone.contains(node)) {
            first.data = false;
            second.input = first;
          }
        });
  }
}
