package org.modeltracer.cache;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CacheStatistics.Kind;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.LongTable;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Site;

/**
 * The KV caches of a context: which layer reads which, and what each cell holds.
 *
 * <p>Layers usually have a cache each, all filled alike; some models share one between layers or
 * keep a smaller one for layers with a sliding window.
 */
public final class CacheLayout {
  /** What distinguishes caches that are filled differently: the input with the cells' numbers. */
  private record Filling(long indices, int cells) {}

  private final List<CacheGroup> groups = new ArrayList<>();
  private final LongTable<CacheGroup> byAddress = new LongTable<>();
  private final Map<Integer, CacheGroup> byLayer = new HashMap<>();
  private final Set<Long> counted = new HashSet<>();
  private final int contextTokens;
  private final int sequences;

  public CacheLayout(ModelSurvey survey, int contextTokens, int sequences) {
    this.contextTokens = contextTokens;
    this.sequences = sequences;
    for (SiteMap map : survey.maps()) {
      var fillings = new HashMap<Filling, CacheGroup>();
      each(map, Site.KEY_CACHE, (node, layer) -> keys(node, layer, fillings));
      each(map, Site.VALUE_CACHE, this::values);
      each(map, Site.ATTENTION, this::reads);
    }
  }

  private static void each(SiteMap map, Site site, BiConsumer<GraphNode, Integer> visitor) {
    map.places().entrySet().stream()
        .filter(e -> e.getValue().site() == site)
        .sorted(Comparator.comparingInt(e -> e.getKey().index()))
        .forEach(e -> visitor.accept(e.getKey(), e.getValue().layer()));
  }

  private void keys(GraphNode write, int layer, Map<Filling, CacheGroup> fillings) {
    GraphNode root = write.root();
    GraphNode indices = write.is(Op.SET_ROWS) ? write.source(1) : null;
    var filling = new Filling(indices == null ? 0 : indices.root().address(), contextCells(root));
    CacheGroup known = byAddress.get(root.address());
    CacheGroup group =
        fillings.computeIfAbsent(filling, f -> known != null ? known : group(root, true));
    enter(root, known != null ? known : group);
    count(root, layer, Kind.K, false);
    byLayer.putIfAbsent(layer, byAddress(root));
  }

  private void values(GraphNode write, int layer) {
    CacheGroup group = byLayer.get(layer);
    if (group != null && byAddress.get(write.root().address()) == null) {
      // Transposed values are written one by one: rows of one element, or of as many as tokens.
      GraphNode value = write.sources().getFirst();
      boolean single = write.is(Op.SET_ROWS) ? value.ne().get(0) == 1 : write.ne().get(1) > 1;
      enter(write.root(), group);
      count(write.root(), layer, Kind.V, single);
    }
  }

  private void reads(GraphNode attention, int layer) {
    GraphNode root = keysOf(attention).cacheRoot();
    if (root.isCache("cache_")) {
      if (byAddress.get(root.address()) == null) {
        enter(root, group(root, false));
        count(root, layer, Kind.K, false);
      }
      byLayer.put(layer, byAddress(root));
    }
  }

  private CacheGroup byAddress(GraphNode root) {
    return Objects.requireNonNull(byAddress.get(root.address()));
  }

  private void enter(GraphNode root, CacheGroup group) {
    if (byAddress.get(root.address()) == null) {
      byAddress.put(root.address(), group);
    }
  }

  private void count(GraphNode root, int layer, Kind kind, boolean transposed) {
    if (counted.add(root.address())) {
      byAddress(root)
          .add(new CacheTensor(layer, kind, root.name(), root.address(), root.bytes(), transposed));
    }
  }

  private CacheGroup group(GraphNode root, boolean written) {
    int streams = root.ne().get(1) > 1 ? Math.toIntExact(root.ne().get(2)) : 1;
    var group =
        new CacheGroup(contextCells(root), streams, sequences, written ? root.address() : 0);
    groups.add(group);
    return group;
  }

  private static GraphNode keysOf(GraphNode attention) {
    if (attention.is(Op.FLASH_ATTN_EXT)) {
      return attention.sources().get(1);
    }
    GraphNode n = attention.sources().getFirst();
    while (!n.is(Op.MUL_MAT)) {
      n = n.sources().getFirst();
    }
    return n.sources().getFirst();
  }

  private int contextCells(GraphNode root) {
    // Recent caches are [row, cell, stream]; older ones are flat and as long as the context.
    return root.ne().get(1) > 1
        ? Math.toIntExact(root.ne().get(1) * root.ne().get(2))
        : contextTokens;
  }

  /** Whether all caches that another survey shows are among these. */
  public boolean covers(ModelSurvey survey) {
    return survey.maps().stream()
        .flatMap(map -> map.places().entrySet().stream())
        .filter(e -> e.getValue().site() == Site.KEY_CACHE)
        .allMatch(
            e ->
                byAddress.get(e.getKey().root().address()) != null
                    && byLayer.containsKey(e.getValue().layer()));
  }

  /** The cache that a tensor belongs to, by address, or null. */
  public @Nullable CacheGroup at(long address) {
    return byAddress.get(address);
  }

  /** The cache that a layer's attention reads, or null. */
  public @Nullable CacheGroup ofLayer(int layer) {
    return byLayer.get(layer);
  }

  /** All caches that are filled differently. */
  public List<CacheGroup> all() {
    return groups;
  }

  /**
   * The cache with the most cells, or null when the model has none.
   *
   * <p>Where a window's cache is as large, the other one: it drops nothing by itself, and until one
   * of them does, they hold the same.
   */
  public @Nullable CacheGroup largest() {
    CacheGroup largest = null;
    for (int i = 0; i < groups.size(); i++) {
      CacheGroup group = groups.get(i);
      if (largest == null || isLarger(group, largest)) {
        largest = group;
      }
    }
    return largest;
  }

  private static boolean isLarger(CacheGroup a, CacheGroup b) {
    int more = Integer.compare(a.cells().cells(), b.cells().cells());
    return more > 0 || more == 0 && b.recycles() && !a.recycles();
  }
}
