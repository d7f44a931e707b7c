package org.modeltracer.graph;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/**
 * Which node of a graph is which place of the transformer.
 *
 * <p>Found by structure: what multiplies which weight, what a softmax is taken of, what is added to
 * the residual stream. Weight names are the same in all architectures; node names are a fallback
 * only. A place that a layer does not have is absent.
 */
public final class SiteMap {
  private final Graph graph;
  private final NodeTable<TokenAxis> axes;
  private final Map<GraphNode, Integer> layers = new HashMap<>();
  private final Map<GraphNode, Place> places = new LinkedHashMap<>();
  private final Map<Place, GraphNode> nodes = new HashMap<>();
  private final Set<GraphNode> attended = new HashSet<>();
  private final ResidualPath residual;
  private final int first;

  /**
   * The places of a graph.
   *
   * @param axes where its nodes count tokens
   * @param first number of the first layer of an encoder whose layers come after those of its
   *     decoder: its embedding belongs to it, its final norm to the last one; 0 for any other graph
   */
  SiteMap(Graph graph, NodeTable<TokenAxis> axes, int first) {
    this.graph = graph;
    this.axes = axes;
    this.first = first;
    for (GraphNode node : graph.nodes()) {
      layers.put(node, layerOf(node));
    }
    Optional<GraphNode> last = logits();
    graph.nodes().forEach(this::outputs);
    graph.nodes().forEach(this::attention);
    graph.nodes().forEach(this::cacheWrites);
    residual = new ResidualPath(graph, node -> layers.getOrDefault(node, -1));
    put(Site.EMBEDDING, Place.BEFORE_LAYERS, residual.embedding());
    graph.nodes().forEach(this::layerOut);
    residual();
    // The stream can be lost where an architecture braids several: what goes into it then remains.
    graph.nodes().forEach(this::contributions);
    last.ifPresent(n -> put(Site.FINAL_NORM, Place.AFTER_LAYERS, n));
    // After the stream: where a block reads the stream itself it has no norm of its own.
    graph.nodes().forEach(this::factors);
  }

  /** The same places in layers counted on from another graph's, as those of an encoder are. */
  SiteMap from(int layer) {
    return new SiteMap(graph, axes, layer);
  }

  private int layerOf(GraphNode node) {
    int named = node.namedLayer();
    if (named >= 0) {
      return named;
    }
    int layer = -1;
    for (GraphNode source : node.sources()) {
      if (source.isLeaf() && source.namedLayer() >= 0) {
        return source.namedLayer();
      }
      layer = Math.max(layer, layers.getOrDefault(source, -1));
    }
    return layer;
  }

  private void put(Site site, int layer, GraphNode node) {
    Place place = place(site, layer);
    if (!node.isLeaf() && !places.containsKey(node) && !nodes.containsKey(place)) {
      places.put(node, place);
      nodes.put(place, node);
    }
  }

  private Place place(Site site, int layer) {
    if (first == 0) {
      return new Place(site, layer);
    }
    int inside = Math.clamp(layer, 0, layers.values().stream().max(Integer::compare).orElse(0));
    return new Place(site, first + inside);
  }

  /** Finds the logits; returns what they, or the embedding of a text, are made from. */
  private Optional<GraphNode> logits() {
    for (int i = graph.nodes().size() - 1; i >= 0; i--) {
      GraphNode n = graph.nodes().get(i);
      if (!n.is(Op.MUL_MAT)) {
        continue;
      }
      String weight = n.sources().getFirst().role();
      if (weight.equals("output") || weight.equals("token_embd")) {
        put(Site.LOGITS, Place.AFTER_LAYERS, last(n));
        return Optional.of(n.sources().get(1).origin());
      }
    }
    return graph.nodes().stream()
        .filter(n -> n.baseName().equals("result_norm"))
        .reduce((a, b) -> b);
  }

  /** What becomes of a tensor by element-wise operations up to the end of the graph. */
  private GraphNode last(GraphNode n) {
    List<GraphNode> next = graph.consumers(n);
    return next.isEmpty() ? n : last(next.getLast());
  }

  private void attention(GraphNode node) {
    int layer = layers.getOrDefault(node, -1);
    if (node.is(Op.FLASH_ATTN_EXT)) {
      if (node.sources().get(1).isOfEncoder()) {
        put(Site.CROSS_ATTENTION, layer, node);
        return;
      }
      put(Site.ATTENTION, layer, node);
      inputs(layer, node.sources().get(0), node.sources().get(1));
      context(node, layer);
    } else if (node.is(Op.SOFT_MAX)) {
      GraphNode product = scoresOf(node);
      if (product == null) {
        return;
      }
      int own = layer >= 0 ? layer : layers.getOrDefault(product, -1);
      if (product.sources().getFirst().isOfEncoder()) {
        put(Site.CROSS_ATTENTION, own, node);
        return;
      }
      put(Site.SCORES, own, product);
      put(Site.ATTENTION, own, node);
      inputs(own, product.sources().get(1), product.sources().get(0));
      graph.consumers(node).stream()
          .filter(c -> c.is(Op.MUL_MAT))
          .findFirst()
          .ifPresent(mixed -> context(mixed, own));
    }
  }

  private void inputs(int layer, GraphNode queries, GraphNode keys) {
    put(Site.QUERY, layer, queries.origin());
    GraphNode cache = keys.cacheRoot();
    if (cache.isCache("cache_")) {
      attended.add(cache);
    } else {
      put(Site.KEY, layer, keys.origin());
    }
  }

  /** The product of keys and queries a softmax is taken of, or null: routers have softmaxes too. */
  private static @Nullable GraphNode scoresOf(GraphNode softmax) {
    GraphNode n = softmax.sources().getFirst();
    while (!n.is(Op.MUL_MAT) && !n.isLeaf() && !n.sources().isEmpty()) {
      n = n.sources().getFirst();
    }
    boolean product =
        n.is(Op.MUL_MAT)
            && !n.sources().get(0).origin().isWeight()
            && !n.sources().get(1).origin().isWeight();
    return product ? n : null;
  }

  /** All heads side by side: the last rearrangement of the mixed values before a weight. */
  private void context(GraphNode mixed, int layer) {
    GraphNode n = mixed;
    GraphNode found = mixed;
    while (true) {
      GraphNode at = n;
      Optional<GraphNode> next =
          graph.consumers(n).stream()
              .filter(
                  c ->
                      c.moves()
                          || (c.is(Op.MUL_MAT) && c.sources().getFirst().role().equals("attn_v_b")))
              .filter(c -> c.sources().contains(at))
              .findFirst();
      if (next.isEmpty()) {
        put(Site.CONTEXT, layer, found);
        return;
      }
      n = next.get();
      found = n;
    }
  }

  private void factors(GraphNode node) {
    if (!node.is(Op.MUL_MAT) && !node.is(Op.MUL_MAT_ID)) {
      return;
    }
    String weight = node.sources().getFirst().role();
    int layer = layers.getOrDefault(node, -1);
    GraphNode input = node.sources().get(1).origin();
    Site site = Aliases.BY_FIRST_FACTOR.get(weight);
    if (site != null) {
      put(site, layer, biased(node));
      if (isNorm(input)) {
        put(Site.FFN_NORM, layer, input);
      }
    }
    if (weight.startsWith("ffn_down")) {
      put(Site.FFN_HIDDEN, layer, input);
    }
    if (Aliases.QUERY_WEIGHTS.contains(weight) && isNorm(input)) {
      put(Site.ATTN_NORM, layer, input);
    }
    if (weight.startsWith("ffn_gate_up")) {
      halves(node, layer);
      put(Site.FFN_UP, layer, biased(node));
      if (isNorm(input)) {
        put(Site.FFN_NORM, layer, input);
      }
    }
    if (node.is(Op.MUL_MAT_ID)) {
      put(Site.EXPERTS, layer, node.sources().get(2));
    }
    if (weight.equals("attn_v")) {
      put(Site.VALUE, layer, biased(node));
    }
  }

  /** Gate and up of one product: what the gated unit takes from it. */
  private void halves(GraphNode product, int layer) {
    for (GraphNode half : graph.consumers(biased(product))) {
      for (GraphNode unit : graph.consumers(half)) {
        if (unit.is(Op.GLU) && unit.sources().size() == 2) {
          put(Site.FFN_GATE, layer, unit.sources().get(0));
          put(Site.FFN_UP, layer, unit.sources().get(1));
        }
      }
    }
  }

  /** What meets the output matrix is the context: after a gate or a norm of its own. */
  private void outputs(GraphNode node) {
    if (node.is(Op.MUL_MAT) && node.sources().getFirst().role().equals("attn_output")) {
      put(Site.CONTEXT, layers.getOrDefault(node, -1), node.sources().get(1));
    }
  }

  /** A product after the scale and bias tensors that follow it. */
  private GraphNode biased(GraphNode product) {
    return ResidualPath.affine(graph, product);
  }

  private static boolean isNorm(GraphNode node) {
    GraphNode n = node;
    while ((n.is(Op.MUL) || n.is(Op.ADD)) && n.sources().get(1).isWeight()) {
      n = n.sources().getFirst();
    }
    return n.is(Op.RMS_NORM) || n.is(Op.NORM);
  }

  /** Writes into the caches that attention reads; indexers and compressors have caches too. */
  private void cacheWrites(GraphNode node) {
    if (!node.is(Op.SET_ROWS) && !node.is(Op.CPY)) {
      return;
    }
    int layer = layers.getOrDefault(node, -1);
    if (attended.contains(node.root())) {
      put(Site.KEY_CACHE, layer, node);
      put(Site.KEY, layer, node.sources().getFirst().origin());
    } else if (node.isCache("cache_v") && nodes.containsKey(place(Site.ATTENTION, layer))) {
      put(Site.VALUE_CACHE, layer, node);
      put(Site.VALUE, layer, node.sources().getFirst().origin());
    }
  }

  private void residual() {
    var byLayer = new HashMap<Integer, List<ResidualPath.Step>>();
    for (ResidualPath.Step step : residual.steps()) {
      int layer = layers.getOrDefault(step.after(), -1);
      byLayer.computeIfAbsent(layer, l -> new ArrayList<>()).add(step);
    }
    byLayer.forEach(this::block);
  }

  private void layerOut(GraphNode node) {
    if (Aliases.LAYER_OUTPUTS.contains(node.baseName())
        && node.namedLayer() >= 0
        && !node.moves()) {
      put(Site.LAYER_OUT, node.namedLayer(), node);
    }
  }

  private void contributions(GraphNode node) {
    int layer = layers.getOrDefault(node, -1);
    if (node.is(Op.MUL_MAT) && Aliases.OUTPUT_WEIGHTS.contains(node.sources().getFirst().role())) {
      put(Site.ATTN_OUT, layer, biased(node));
    } else if (node.baseName().equals("ffn_out") && layer >= 0) {
      put(Site.FFN_OUT, layer, node);
    }
  }

  private void block(int layer, List<ResidualPath.Step> steps) {
    put(Site.LAYER_OUT, layer, steps.getLast().after());
    for (ResidualPath.Step step : steps) {
      contribution(layer, step.contribution());
    }
    for (int i = 1; i < steps.size(); i++) {
      GraphNode mid = steps.get(i - 1).after();
      GraphNode next = steps.get(i).contribution();
      if (contains(next, SiteMap::feedsForward) && reads(next, mid)) {
        put(Site.RESIDUAL_MID, layer, mid);
      }
    }
  }

  private boolean reads(GraphNode contribution, GraphNode state) {
    return graph.descendsFrom(
        contribution, n -> n == state, n -> n != state && residual.contains(n));
  }

  private void contribution(int layer, GraphNode added) {
    boolean mixes = contains(added, SiteMap::mixesTokens);
    boolean feeds = contains(added, n -> n.role().startsWith("ffn_"));
    boolean shifts = contains(added, n -> n.role().startsWith("channel_mix"));
    if (mixes && feeds && added.origin().is(Op.ADD)) {
      contribution(layer, added.origin().sources().get(0));
      contribution(layer, added.origin().sources().get(1));
    } else if (mixes && feeds) {
      // A whole block at once, of which the parts are found by themselves.
      return;
    } else if (contains(added, n -> n.role().equals("cross_attn_o"))) {
      put(Site.CROSS_OUT, layer, rows(added));
    } else if (mixes && !shifts) {
      put(Site.ATTN_OUT, layer, rows(added));
    } else if (feeds || shifts) {
      put(Site.FFN_OUT, layer, rows(added));
    }
  }

  private static GraphNode rows(GraphNode added) {
    GraphNode o = added.origin();
    return o.is(Op.GET_ROWS) && !o.sources().getFirst().isLeaf()
        ? o.sources().getFirst().origin()
        : o;
  }

  private boolean contains(GraphNode added, Predicate<GraphNode> wanted) {
    return graph.descendsFrom(added, wanted, residual::contains);
  }

  private static boolean feedsForward(GraphNode n) {
    return n.role().startsWith("ffn_") || n.role().startsWith("channel_mix");
  }

  private static boolean mixesTokens(GraphNode n) {
    return n.is(Op.SOFT_MAX) && n.sources().size() > 1
        || n.is(Op.FLASH_ATTN_EXT)
        || n.isLeaf() && n.name().startsWith("cache_");
  }

  /** The node at a place, if the graph has it. */
  Optional<GraphNode> node(Place place) {
    return Optional.ofNullable(nodes.get(place));
  }

  /** Every place found, with its node, in execution order. */
  public Map<GraphNode, Place> places() {
    return places;
  }

  /** Layers that have a node of their own, ascending. */
  Set<Integer> layers() {
    var found = new TreeSet<Integer>(Comparator.naturalOrder());
    layers.values().stream().filter(l -> l >= 0).forEach(l -> found.add(first + l));
    return found;
  }

  /** Layer a node belongs to, -1 for none. */
  public int layer(GraphNode node) {
    int layer = layers.getOrDefault(node, -1);
    return layer < 0 ? layer : first + layer;
  }

  /** Number of the first layer: not 0 in an encoder beside a decoder. */
  public int first() {
    return first;
  }

  /** Where a node counts tokens; null where nothing shows it, as in a graph of one token only. */
  public @Nullable TokenAxis tokens(GraphNode node) {
    return axes.get(node);
  }

  public Graph graph() {
    return graph;
  }
}
