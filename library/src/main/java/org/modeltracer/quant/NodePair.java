package org.modeltracer.quant;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.model.Site;

/**
 * A node of the reference and the node of the other model at the same place.
 *
 * @param index in the reference's order of execution, among the pairs
 */
record NodePair(int index, NodeInfo reference, NodeInfo other) {
  private static final Set<Site> INPUTS = Set.of(Site.EMBEDDING, Site.LAYER_OUT);

  /**
   * Pairs the nodes of two graphs: the same operation of the same name where both have it, else the
   * same place of the transformer. A place can be another node in another graph: with a quantized
   * cache, for instance, queries are rotated once more before they meet the keys.
   */
  static List<NodePair> of(List<NodeInfo> reference, List<NodeInfo> other) {
    Map<NodeInfo, NodeInfo> found = new LinkedHashMap<>();
    Set<NodeInfo> taken = new HashSet<>();
    match(reference, other, NodeInfo::key, n -> !attention(n), found, taken);
    match(reference, other, NodeInfo::place, n -> n.place().site() != Site.OTHER, found, taken);
    var pairs = new ArrayList<NodePair>();
    for (NodeInfo node : reference) {
      NodeInfo twin = found.get(node);
      if (twin != null) {
        pairs.add(new NodePair(pairs.size(), node, twin));
      }
    }
    return List.copyOf(pairs);
  }

  private static <K> void match(
      List<NodeInfo> reference,
      List<NodeInfo> other,
      Function<NodeInfo, K> key,
      Predicate<NodeInfo> eligible,
      Map<NodeInfo, NodeInfo> found,
      Set<NodeInfo> taken) {
    Map<K, NodeInfo> byKey = new HashMap<>();
    other.stream()
        .filter(eligible)
        .filter(n -> !taken.contains(n))
        .forEach(n -> byKey.putIfAbsent(key.apply(n), n));
    for (NodeInfo node : reference) {
      NodeInfo twin =
          eligible.test(node) && !found.containsKey(node) ? byKey.get(key.apply(node)) : null;
      if (twin != null && twin.width() == node.width() && taken.add(twin)) {
        found.put(node, twin);
      }
    }
  }

  private static boolean attention(NodeInfo node) {
    return node.place().site() == Site.ATTENTION;
  }

  /** Whether this is attention, whose rows are {@code [query, head]}. */
  boolean attention() {
    return attention(reference);
  }

  /**
   * Rows of a token: attention has one for each head, and is as wide as there are positions so far.
   *
   * @param position of the first token
   */
  int rowsPerToken(int position, int rows, int width) {
    return attention() ? Math.max(1, rows / Math.clamp(width - (long) position, 1, rows)) : 1;
  }

  /** Whether this is what the next layer gets as its input. */
  boolean layerInput() {
    return INPUTS.contains(reference.place().site())
        && reference.place().site() == other.place().site();
  }
}
