package org.modeltracer.probe;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.trace.TracerConfig;

/**
 * What a {@link ForwardProbe} will look at of a node.
 *
 * @param place where in the transformer
 * @param input whether its source 1 is read before the graph runs: tokens, positions, cells
 * @param values whether its values are wanted
 */
public record NodeDemand(Place place, boolean input, boolean values) {

  /** What a probe will look at of each node of a graph; nodes that it passes over are absent. */
  public static Map<GraphNode, NodeDemand> of(SiteMap map, Set<Site> sites, TracerConfig config) {
    Map<GraphNode, NodeDemand> demands = new LinkedHashMap<>();
    new WatchList(map, sites, config)
        .watched()
        .forEach(
            (node, watched) -> {
              boolean indexed = watched.cells && node.is(Op.SET_ROWS);
              boolean input = watched.tokens || watched.positions || indexed;
              demands.put(node, new NodeDemand(watched.place, input, watched.data));
            });
    return demands;
  }
}
