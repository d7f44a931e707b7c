package org.modeltracer.probe;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.trace.TracerConfig;

/**
 * What a probe must look at in one graph: the places asked for, and the inputs that explain them.
 */
final class WatchList {
  private final SiteMap map;
  private final Set<Site> sites;
  private final TracerConfig config;
  private final Map<GraphNode, WatchedNode> watched = new HashMap<>();

  WatchList(SiteMap map, Set<Site> sites, TracerConfig config) {
    this.map = map;
    this.sites = sites;
    this.config = config;
  }

  /** This graph's nodes, those that are watched. */
  Map<GraphNode, WatchedNode> watched() {
    watch(tokens()).tokens = true;
    GraphNode positioned = positioned();
    if (positioned != null) {
      watch(positioned).positions = true;
    }
    map.places()
        .forEach(
            (node, place) -> {
              if (place.site() == Site.KEY_CACHE) {
                watch(node).cells = true;
              }
              if (sites.contains(place.site()) && wantsLayer(place)) {
                watch(node).data = true;
              }
              if (place.site() == Site.EXPERTS) {
                watch(node).experts = experts(node);
              }
            });
    return watched;
  }

  private boolean wantsLayer(Place place) {
    return place.site() != Site.ATTENTION || config.wantsLayer(place.layer());
  }

  private WatchedNode watch(GraphNode node) {
    return watched.computeIfAbsent(
        node, n -> new WatchedNode(n, map.places().getOrDefault(n, Place.NOWHERE), map.tokens(n)));
  }

  /** The node that looks tokens up: every graph begins there. */
  private GraphNode tokens() {
    return map.graph().nodes().stream()
        .filter(n -> n.is(Op.GET_ROWS) && n.occurrence() == 0)
        .filter(n -> n.sources().getFirst().role().equals("token_embd"))
        .findFirst()
        .orElse(map.graph().nodes().getFirst());
  }

  /** The first node that shows token positions: by rotating, or by looking an embedding up. */
  private @Nullable GraphNode positioned() {
    return map.graph().nodes().stream()
        .filter(n -> n.sources().size() > 1 && n.sources().get(1).isLeaf())
        .filter(
            n ->
                n.is(Op.ROPE) && map.layer(n) >= 0
                    || n.is(Op.GET_ROWS) && n.sources().getFirst().role().equals("position_embd"))
        .findFirst()
        .orElse(null);
  }

  /** Experts are chosen among as many as the weights that are multiplied by choice have. */
  private int experts(GraphNode choices) {
    return map.graph().consumers(choices).stream()
        .filter(n -> n.is(Op.MUL_MAT_ID))
        .mapToInt(n -> Math.toIntExact(n.sources().getFirst().ne().get(2)))
        .findFirst()
        .orElse(0);
  }
}
