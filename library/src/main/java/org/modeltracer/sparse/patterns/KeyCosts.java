package org.modeltracer.sparse.patterns;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Site;

/** What attending to a key costs, by layer: from the shapes of the tensors that attention reads. */
public record KeyCosts(Map<Integer, Layer> layers) {

  /**
   * Costs of a layer.
   *
   * @param heads query heads
   * @param kvHeads heads of keys and values; neighbours share one
   * @param keyWidth numbers in a key of one head
   * @param valueWidth numbers in a value
   * @param cachedBytes bytes of one key and its value in one KV head's part of the cache, as they
   *     are kept; 0 where there is no cache
   */
  public record Layer(
      int heads, int kvHeads, int keyWidth, int valueWidth, double cachedBytes) {

    /** Multiplications and additions of one query head for one key: QK, and the value's part. */
    public double flops() {
      return 2.0 * keyWidth + 2.0 * valueWidth;
    }

    /** The KV head that a query head reads. */
    int group(int head) {
      return head / Math.max(1, heads / Math.max(1, kvHeads));
    }
  }

  /** Costs in the order of layers. */
  public KeyCosts {
    layers = new TreeMap<>(layers);
  }

  /** Nothing is known: every head has keys of its own. */
  public static KeyCosts unknown() {
    return new KeyCosts(Map.of());
  }

  /** Costs of all layers that attend by softmax. */
  public static KeyCosts of(ModelSurvey survey) {
    var layers = new TreeMap<Integer, Layer>();
    for (ModelSurvey part = survey; part != null; part = part.encoder()) {
      for (SiteMap map : part.maps()) {
        map.places()
            .forEach(
                (node, place) -> {
                  if (place.site() == Site.ATTENTION) {
                    Layer layer = layer(map, node);
                    if (layer != null) {
                      layers.putIfAbsent(place.layer(), layer);
                    }
                  }
                });
      }
    }
    return new KeyCosts(layers);
  }

  private static @Nullable Layer layer(SiteMap map, GraphNode attention) {
    boolean fused = attention.is(Op.FLASH_ATTN_EXT);
    GraphNode keys = fused ? attention.source(1) : scored(attention);
    GraphNode values = fused ? attention.source(2) : mixed(map, attention);
    if (keys == null || values == null) {
      return null;
    }
    int heads = size(attention, fused ? 1 : 2);
    int kvHeads = size(keys, 2);
    // Values lie by head as keys do; without flash attention cells come first.
    int valueWidth = size(values, fused ? 0 : 1);
    if (kvHeads == 0 || heads % kvHeads != 0) {
      return null;
    }
    GraphNode cachedKeys = keys.cacheRoot();
    GraphNode cachedValues = values.cacheRoot();
    double bytes = perCell(cachedKeys);
    if (cachedValues != cachedKeys) {
      bytes += perCell(cachedValues);
    }
    return new Layer(heads, kvHeads, size(keys, 0), valueWidth, bytes / kvHeads);
  }

  /** The keys whose products with queries a softmax is taken of. */
  private static @Nullable GraphNode scored(GraphNode softmax) {
    GraphNode n = softmax;
    while (!n.is(Op.MUL_MAT) && !n.sources().isEmpty()) {
      n = n.sources().getFirst();
    }
    return n.source(0);
  }

  /** The values that are mixed by the weights. */
  private static @Nullable GraphNode mixed(SiteMap map, GraphNode softmax) {
    return map.graph().consumers(softmax).stream()
        .filter(node -> node.is(Op.MUL_MAT))
        .findFirst()
        .map(node -> node.source(0))
        .orElse(null);
  }

  private static int size(GraphNode node, int dimension) {
    return Math.toIntExact(node.ne().get(dimension));
  }

  private static double perCell(GraphNode cache) {
    return cache.isKvCache() ? (double) cache.bytes() / (cache.ne().get(1) * cache.ne().get(2)) : 0;
  }
}
