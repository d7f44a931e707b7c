package org.modeltracer.attach;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.graph.Graph;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.graph.NodeTable;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.graph.TokenAxis;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/** The model of a context in another process, as its graphs show it. */
final class RemoteModel implements AutoCloseable {
  private static final int MOST_LAYERS = 4096;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  private final LlamaRuntime runtime;
  private final Map<Integer, RemoteGraph> graphs = new HashMap<>();
  private final List<RemoteGraph> retired = new ArrayList<>();
  private final Map<Graph, SiteMap> maps = new HashMap<>();
  private @Nullable CacheLayout caches;

  /** Nothing is known yet. */
  RemoteModel(LlamaRuntime runtime) {
    this.runtime = runtime;
  }

  /**
   * Takes a graph.
   *
   * @return what all graphs together show, null while none is a forward pass
   * @throws IllegalArgumentException for what no graph can be
   */
  @Nullable ModelSurvey take(MemorySegment record) {
    int topology = record.get(INT, 16);
    if (topology < 0 || topology >= Channel.MOST_TOPOLOGIES) {
      throw new IllegalArgumentException("a graph of no known structure");
    }
    RemoteGraph fresh = new RemoteGraph(runtime, record, this::memory);
    if (fresh.graph().nodes().stream().anyMatch(node -> node.namedLayer() > MOST_LAYERS)) {
      fresh.close();
      throw new IllegalArgumentException("a model of more layers than any has");
    }
    RemoteGraph before = graphs.put(topology, fresh);
    if (before != null) {
      retired.add(before);
    }
    return survey();
  }

  /** Address here of memory that outlives a graph, 0 where no graph has shown it. */
  private long memory(long remote) {
    return Stream.concat(graphs.values().stream(), retired.stream())
        .mapToLong(graph -> graph.memory(remote))
        .filter(here -> here != 0)
        .findFirst()
        .orElse(0);
  }

  private @Nullable ModelSurvey survey() {
    var axes = new NodeTable<TokenAxis>();
    List<RemoteGraph> all =
        graphs.values().stream()
            .sorted(Comparator.comparingInt(RemoteGraph::tokens).reversed())
            .toList();
    for (RemoteGraph graph : all) {
      TokenAxis.enterSizes(graph.graph(), graph.tokens(), axes);
    }
    List<Graph> models =
        all.stream().map(RemoteGraph::graph).filter(g -> isModel(g, axes)).toList();
    if (models.isEmpty()) {
      return null;
    }
    ModelSurvey survey = ModelSurvey.of(models, axes);
    CacheLayout known = caches;
    if (known == null || !known.covers(survey)) {
      caches = new CacheLayout(survey, flatCells(all.getFirst(), survey), RemoteContext.SEQUENCES);
    }
    maps.clear();
    survey.maps().forEach(map -> maps.put(map.graph(), map));
    return survey;
  }

  /** Whether a graph is a forward pass, and not one that shifts a cache and multiplies nothing. */
  private static boolean isModel(Graph graph, NodeTable<TokenAxis> axes) {
    boolean multiplies =
        graph.nodes().stream()
            .filter(node -> node.is(Op.MUL_MAT))
            .flatMap(node -> node.sources().stream())
            .anyMatch(GraphNode::isWeight);
    if (!multiplies) {
      return false;
    }
    ModelSurvey survey = ModelSurvey.of(List.of(graph), axes);
    return survey.node(Place.LOGITS).isPresent()
        || survey.node(new Place(Site.EMBEDDING, Place.BEFORE_LAYERS)).isPresent();
  }

  /** Cells of caches that do not tell: older ones are flat, as long as all rows together. */
  private static int flatCells(RemoteGraph graph, ModelSurvey survey) {
    long most = 1;
    for (Map.Entry<GraphNode, Place> e : survey.prompt().places().entrySet()) {
      GraphNode write = e.getKey();
      if (e.getValue().site() == Site.KEY_CACHE && write.is(Op.CPY)) {
        long row = write.bytes() / Math.max(1, graph.tokens());
        most = Math.max(most, write.root().bytes() / Math.max(1, row));
      }
    }
    return Math.toIntExact(most);
  }

  /** The graph of a structure, null where it was not told. */
  @Nullable RemoteGraph graph(int topology) {
    return graphs.get(topology);
  }

  /** Goes through all graphs by the numbers of their structures. */
  void each(BiConsumer<Integer, RemoteGraph> visitor) {
    graphs.forEach(visitor);
  }

  /** The places of a graph, null where it is no forward pass. */
  @Nullable SiteMap places(RemoteGraph graph) {
    return maps.get(graph.graph());
  }

  /** The caches, null while no forward pass is known. */
  @Nullable CacheLayout caches() {
    return caches;
  }

  private Stream<GraphNode> nodes() {
    return graphs.values().stream().flatMap(graph -> graph.graph().nodes().stream());
  }

  /** Parameters of the weights that the graph of a structure uses. */
  long parameters(int topology) {
    RemoteGraph graph = graphs.get(topology);
    return graph == null
        ? 0
        : graph.graph().nodes().stream()
            .flatMap(node -> node.sources().stream())
            .filter(GraphNode::isWeight)
            .distinct()
            .mapToLong(weight -> weight.ne().stream().reduce(1L, (a, b) -> a * b))
            .sum();
  }

  /** Sizes of a weight, fastest dimension first; empty while no graph has shown it. */
  List<Long> weight(String name) {
    return nodes()
        .flatMap(node -> node.sources().stream())
        .filter(source -> source.isLeaf() && source.name().equals(name))
        .map(GraphNode::ne)
        .findFirst()
        .orElse(List.of());
  }

  /** Whether attention runs as one fused operation. */
  boolean fuses() {
    return nodes().anyMatch(node -> node.is(Op.FLASH_ATTN_EXT));
  }

  /** Layers that its graphs have. */
  int layers() {
    return 1 + nodes().mapToInt(GraphNode::namedLayer).max().orElse(-1);
  }

  @Override
  public void close() {
    graphs.values().forEach(RemoteGraph::close);
    retired.forEach(RemoteGraph::close);
  }
}
