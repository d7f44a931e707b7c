package org.modeltracer.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.TensorType;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/**
 * The nodes of a graph that can be compared with another graph's, each with a key.
 *
 * <p>Left out are what only rearranges, what has no row for each token, what depends on which cells
 * of the cache are in use: raw scores, masks and writes into the cache; and products with a weight
 * whose scale is a tensor of its own, which mean something only once they are multiplied with it.
 */
public final class NodeCatalogue {
  private static final int DEPTH = 4;
  private static final Set<Site> BY_CELL = Set.of(Site.SCORES, Site.KEY_CACHE, Site.VALUE_CACHE);
  private static final Set<Op> OPS_BY_CELL =
      Set.of(Op.SOFT_MAX, Op.SET_ROWS, Op.CPY, Op.TOP_K, Op.FLASH_ATTN_EXT);

  private final SiteMap map;
  private final Map<String, Integer> occurrences = new HashMap<>();
  private final Map<GraphNode, NodeInfo> nodes = new LinkedHashMap<>();
  private final Set<GraphNode> unscaled = new HashSet<>();

  /** The nodes of a surveyed graph. */
  public NodeCatalogue(SiteMap map) {
    this.map = map;
    for (GraphNode node : map.graph().nodes()) {
      if (node.is(Op.MUL) && isScale(node.source(1), 0)) {
        unscaled.add(node.sources().getFirst().origin());
      }
    }
    for (GraphNode node : map.graph().nodes()) {
      String kind = kind(node, 0) + " at " + anchor(node, 0);
      int occurrence = occurrences.merge(kind, 1, Integer::sum) - 1;
      if (comparable(node)) {
        nodes.put(node, info(node, kind + "#" + occurrence));
      }
    }
  }

  /**
   * Whether these are the values of a {@code .scale} tensor, perhaps one for each expert chosen.
   */
  private static boolean isScale(@Nullable GraphNode node, int depth) {
    return node != null
        && depth < DEPTH
        && (node.isLeaf()
            ? node.isWeight() && node.name().endsWith(".scale")
            : !node.is(Op.MUL_MAT) && isScale(node.source(0), depth + 1));
  }

  private static String kind(GraphNode node, int depth) {
    String name = node.name();
    if (!name.isEmpty() && !name.matches("(node_|leaf_| ).*")) {
      return node.opName() + " " + name;
    }
    var kind = new StringBuilder(node.opName()).append('(');
    for (int i = 0; i < Math.min(2, node.sources().size()) && depth < DEPTH; i++) {
      kind.append(i == 0 ? "" : ", ").append(kind(node.sources().get(i), depth + 1));
    }
    return kind.append(')').toString();
  }

  /**
   * The weight that a node meets, else the first that what becomes of it meets: llama.cpp gives one
   * name to several nodes of a layer, such as its norms, and not all releases to the same ones.
   */
  private String anchor(GraphNode node, int depth) {
    for (GraphNode source : node.sources()) {
      if (source.isWeight()) {
        return source.name();
      }
    }
    if (depth < DEPTH) {
      for (GraphNode consumer : map.graph().consumers(node)) {
        String found = anchor(consumer, depth + 1);
        if (!found.isEmpty()) {
          return found;
        }
      }
    }
    return "";
  }

  private boolean comparable(GraphNode node) {
    Place place = map.places().get(node);
    if (place != null && place.site() == Site.ATTENTION) {
      return true;
    }
    if (node.type() != TensorType.F32 || width(node) == 0 || unscaled.contains(node)) {
      return false;
    }
    return place != null
        ? !BY_CELL.contains(place.site())
        : !node.moves() && !picks(node) && !masks(node) && !OPS_BY_CELL.contains(node.op());
  }

  /** Whether this is a mask of selected keys: −∞ everywhere, but where something was written. */
  private static boolean masks(GraphNode node) {
    return isFilled(node, 0) || node.sources().stream().anyMatch(source -> isFilled(source, 0));
  }

  private static boolean isFilled(GraphNode node, int depth) {
    boolean passes = node.moves() || node.is(Op.SET_ROWS) || node.is(Op.CPY);
    return node.is(Op.FILL)
        || passes
            && depth < DEPTH
            && node.sources().stream().anyMatch(source -> isFilled(source, depth + 1));
  }

  /** Whether this only picks rows of another node: those whose logits are wanted. */
  private static boolean picks(GraphNode node) {
    return node.is(Op.GET_ROWS) && !node.sources().getFirst().isLeaf();
  }

  private NodeInfo info(GraphNode node, String key) {
    int layer = map.layer(node);
    Place place =
        map.places()
            .getOrDefault(node, new Place(Site.OTHER, layer < 0 ? Place.AFTER_LAYERS : layer));
    int width = place.site() == Site.ATTENTION ? 0 : width(node);
    return new NodeInfo(nodes.size(), place, node.name(), node.opName(), key, width, weight(node));
  }

  /** Numbers per token, 0 where a node has no row for each token. */
  private int width(GraphNode node) {
    TokenAxis axis = map.tokens(node);
    return axis == null ? 0 : axis.rowWidth(node.ne());
  }

  /**
   * The matrix that made a node, through what only scales, shifts, rotates or rearranges; else the
   * vector that it was multiplied with, as after a norm.
   */
  private static @Nullable String weight(GraphNode node) {
    GraphNode factor = node.is(Op.MUL) ? node.source(1) : null;
    String matrix = matrix(node);
    return matrix == null && factor != null && factor.isWeight() ? factor.name() : matrix;
  }

  private static @Nullable String matrix(GraphNode node) {
    GraphNode n = node;
    while (!n.isLeaf() && !n.sources().isEmpty()) {
      GraphNode first = n.sources().getFirst();
      if (n.is(Op.MUL_MAT) || n.is(Op.MUL_MAT_ID) || n.is(Op.GET_ROWS)) {
        return first.isWeight() ? first.name() : null;
      }
      GraphNode second = n.source(1);
      boolean passes =
          n.moves()
              || n.is(Op.ROPE)
              || n.is(Op.SCALE)
              || (n.is(Op.ADD) || n.is(Op.MUL)) && second != null && second.isWeight();
      if (!passes) {
        return null;
      }
      n = first;
    }
    return null;
  }

  /** The nodes, in execution order. */
  public List<NodeInfo> all() {
    return new ArrayList<>(nodes.values());
  }

  /** The nodes with what the survey saw of them. */
  public Map<GraphNode, NodeInfo> byNode() {
    return nodes;
  }
}
