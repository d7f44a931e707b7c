package org.modeltracer.probe;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.trace.TracerConfig;

/**
 * What a probe must look at in one graph: the places asked for, and the inputs that explain them.
 */
final class WatchList {
  private static final Place NOWHERE = new Place(Site.OTHER, Place.AFTER_LAYERS);

  private final SiteMap map;
  private final Set<Site> sites;
  private final TracerConfig config;
  private final Map<GraphNode, WatchedNode> watched = new HashMap<>();

  WatchList(SiteMap map, Set<Site> sites, TracerConfig config) {
    this.map = map;
    this.sites = sites;
    this.config = config;
  }

  /** Enters this graph's nodes into a table that serves several graphs. */
  void fill(WatchTable table) {
    watch(tokens()).tokens = true;
    GraphNode rope = firstRope();
    if (rope != null) {
      watch(rope).positions = true;
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
            });
    watched.forEach((node, entry) -> table.put(node.identity(), entry));
  }

  private boolean wantsLayer(Place place) {
    return place.site() != Site.ATTENTION || config.wantsLayer(place.layer());
  }

  private WatchedNode watch(GraphNode node) {
    return watched.computeIfAbsent(
        node,
        n ->
            new WatchedNode(
                map.places().getOrDefault(n, NOWHERE),
                n.name(),
                n.op(),
                n.occurrence(),
                n.is("FLASH_ATTN_EXT")));
  }

  /** The node that looks tokens up: every graph begins there. */
  private GraphNode tokens() {
    return map.graph().nodes().stream()
        .filter(n -> n.is("GET_ROWS") && n.occurrence() == 0)
        .filter(n -> n.sources().getFirst().role().equals("token_embd"))
        .findFirst()
        .orElse(map.graph().nodes().getFirst());
  }

  private @Nullable GraphNode firstRope() {
    return map.graph().nodes().stream()
        .filter(n -> n.is("ROPE") && n.sources().get(1).isLeaf())
        .filter(n -> n.namedLayer() >= 0 || map.layer(n) >= 0)
        .findFirst()
        .orElse(null);
  }
}
