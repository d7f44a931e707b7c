package org.modeltracer.probe;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/**
 * The KV caches of a context: which layer reads which, and what each cell holds.
 *
 * <p>Layers usually have a cache each; some models share one between layers or keep a smaller one
 * for layers with a sliding window.
 */
final class CacheLayout {
  /** Widths of a cache: cells of one stream, number of streams, bytes of a cell. */
  record Cache(CellMap cells, int streamCells, int streams) {}

  private final LongTable<Cache> byAddress = new LongTable<>();
  private final Map<Integer, Cache> byLayer = new HashMap<>();
  private final int sequences;
  private final long bytesPerCell;
  private final long bytes;

  CacheLayout(ModelSurvey survey, int contextTokens, int sequences) {
    this.sequences = sequences;
    Set<String> counted = new HashSet<>();
    long perCell = 0;
    long all = 0;
    for (SiteMap map : survey.maps()) {
      for (var entry : map.places().entrySet()) {
        GraphNode node = entry.getKey();
        Place place = entry.getValue();
        if (place.site() == Site.ATTENTION) {
          GraphNode keys = keysOf(node).cacheRoot();
          if (keys.isCache("cache_")) {
            byLayer.put(place.layer(), cache(keys, contextTokens));
          }
        }
        if (place.site() == Site.KEY_CACHE || place.site() == Site.VALUE_CACHE) {
          GraphNode root = node.root();
          if (counted.add(root.address() + "")) {
            all += root.bytes();
            perCell += root.bytes() / Math.max(1, contextCells(root, contextTokens));
          }
          if (place.site() == Site.KEY_CACHE) {
            cache(root, contextTokens);
          }
        }
      }
    }
    bytesPerCell = perCell;
    bytes = all;
  }

  private static GraphNode keysOf(GraphNode attention) {
    if (attention.is("FLASH_ATTN_EXT")) {
      return attention.sources().get(1);
    }
    GraphNode n = attention.sources().getFirst();
    while (!n.is("MUL_MAT")) {
      n = n.sources().getFirst();
    }
    return n.sources().getFirst();
  }

  private Cache cache(GraphNode root, int contextTokens) {
    Cache known = byAddress.get(root.address());
    if (known == null) {
      int cells = contextCells(root, contextTokens);
      int streams = root.ne().get(1) > 1 ? Math.toIntExact(root.ne().get(2)) : 1;
      known = new Cache(new CellMap(cells, sequences), cells / streams, streams);
      byAddress.put(root.address(), known);
    }
    return known;
  }

  private static int contextCells(GraphNode root, int contextTokens) {
    // Recent caches are [row, cell, stream]; older ones are flat and as long as the context.
    return root.ne().get(1) > 1
        ? Math.toIntExact(root.ne().get(1) * root.ne().get(2))
        : contextTokens;
  }

  /** The cache that a tensor is, by address, or null. */
  @Nullable Cache at(long address) {
    return byAddress.get(address);
  }

  /** The cache that a layer's attention reads, or null. */
  @Nullable Cache ofLayer(int layer) {
    return byLayer.get(layer);
  }

  /** All caches of keys. */
  List<Cache> all() {
    return byAddress.values();
  }

  /** The cache with the most cells, or null when the model has none. */
  @Nullable Cache largest() {
    Cache largest = null;
    for (int i = 0; i < byAddress.values().size(); i++) {
      Cache cache = byAddress.values().get(i);
      if (largest == null || cache.cells().cells() > largest.cells().cells()) {
        largest = cache;
      }
    }
    return largest;
  }

  /** Bytes of keys and values of one cell over all layers. */
  long bytesPerCell() {
    return bytesPerCell;
  }

  /** Bytes of all keys and values. */
  long bytes() {
    return bytes;
  }
}
