package org.modeltracer.attach;

import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Site;
import org.modeltracer.probe.NodeDemand;
import org.modeltracer.probe.PassSink;
import org.modeltracer.trace.TracerConfig;

/**
 * What is wanted of nodes: flags of {@code enum want} in {@code channel.h}.
 *
 * @param sink who takes rows beside the tracer
 * @param sites kinds of places to watch
 * @param config the tracer's
 * @param wide whether every node is to be watched
 */
record Wants(PassSink sink, Set<Site> sites, TracerConfig config, boolean wide) {
  static final int STATISTICS = 1;
  static final int DATA = 2;
  static final int INPUT = 4;
  static final int MASK = 8;
  static final int ROWS = 16;

  /** Any of those that need the node's values. */
  static final int VALUES = STATISTICS | DATA | MASK | ROWS;

  /** Of which more is needed than their statistics: states are compared, experts are counted. */
  private static final Set<Site> WHOLE = EnumSet.of(Site.EMBEDDING, Site.LAYER_OUT, Site.EXPERTS);

  /**
   * What is wanted of a graph, a byte for each node.
   *
   * @param places its places, null where nothing is wanted of it
   */
  byte[] of(RemoteGraph graph, @Nullable SiteMap places) {
    byte[] wants = new byte[graph.nodeCount()];
    if (places == null) {
      return wants;
    }
    NodeDemand.of(places, sites, config)
        .forEach((node, demand) -> wants[node.index()] = (byte) of(node, demand));
    for (GraphNode node : places.graph().nodes()) {
      if (wide && LaterPassWatch.watches(node)) {
        wants[node.index()] |= STATISTICS;
      }
    }
    return wants;
  }

  private int of(GraphNode node, NodeDemand demand) {
    int wants = demand.input() ? INPUT : 0;
    Site site = demand.place().site();
    if (!demand.values()) {
      return wants;
    }
    if (site == Site.ATTENTION) {
      return wants | MASK | (node.is(Op.FLASH_ATTN_EXT) ? ROWS : DATA);
    }
    boolean whole =
        WHOLE.contains(site) || sink.wantsRows(site) || site == Site.LOGITS && config.logits();
    return wants | (site == Site.EXPERTS ? 0 : STATISTICS) | (whole ? DATA : 0);
  }
}
