package org.modeltracer.sparse;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.SiteMap;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/**
 * A layer whose attention sees selected keys only, and the nodes that select them.
 *
 * <p>Found by structure: a selection is a {@code TOP_K} that the mask of an attention is made of.
 * Layers that share a selection have the same {@code topK}.
 *
 * @param layer layer index
 * @param attention the softmax, or the fused operation
 * @param products queries times keys, where they are a node of their own; null in the fused one
 * @param topK cells by query, {@code [k, query]}
 * @param score what they are the largest of, {@code [cell, query]}; masked cells are −∞
 * @param index the fused indexer that makes the scores, or the product of its keys and queries;
 *     null where they come about otherwise
 * @param weighted what each head adds to the scores, {@code [head, query, cell]}; null where the
 *     fused indexer does not show it
 * @param blocks whether what is selected are blocks of keys, by each group of heads: {@code [k,
 *     group, query]} of {@code [block, group, query]}
 * @param compressed whether what is selected are compressed keys, which attention sees after others
 * @param turned its queries, just multiplied by a Hadamard matrix as its keys are; null where
 *     either is not
 * @param rotary the rotary positions of its queries; null where they are of no known kind
 */
record SparseLayer(
    int layer,
    GraphNode attention,
    @Nullable GraphNode products,
    GraphNode topK,
    GraphNode score,
    @Nullable GraphNode index,
    @Nullable GraphNode weighted,
    boolean blocks,
    boolean compressed,
    @Nullable GraphNode turned,
    @Nullable Rotary rotary) {

  private static final int FUSED_MASK = 3;

  /** All such layers of a graph, ascending. */
  static List<SparseLayer> of(SiteMap map) {
    var layers = new ArrayList<SparseLayer>();
    for (Map.Entry<GraphNode, Place> entry : map.places().entrySet()) {
      GraphNode attention = entry.getKey();
      if (entry.getValue().site() != Site.ATTENTION) {
        continue;
      }
      boolean fused = attention.is(Op.FLASH_ATTN_EXT);
      GraphNode mask = attention.source(fused ? FUSED_MASK : 1);
      GraphNode topK = mask == null ? null : ancestor(mask, Op.TOP_K);
      if (mask == null || topK == null) {
        continue;
      }
      GraphNode score = topK.sources().getFirst();
      GraphNode products = fused ? null : attention.sources().getFirst();
      GraphNode single = ancestor(score, Op.LIGHTNING_INDEXER);
      GraphNode weighted = single != null ? null : weighted(score);
      GraphNode index = weighted == null ? single : products(weighted);
      int first = weighted == null ? 0 : 1;
      GraphNode queries = index == null ? null : index.sources().get(first).origin();
      GraphNode keys = index == null ? null : written(map, index.sources().get(1 - first));
      GraphNode turned = isTurned(queries) && isTurned(keys) ? queries : null;
      GraphNode placed = turned != null ? turned.sources().get(1) : queries;
      boolean alike = isTurned(queries) == isTurned(keys);
      layers.add(
          new SparseLayer(
              entry.getValue().layer(),
              attention,
              products,
              topK,
              score,
              index,
              weighted,
              selectsBlocks(attention, fused, score),
              compressed(mask, fused ? attention.source(1) : products, score),
              turned,
              placed == null || !alike ? null : Rotary.of(placed)));
    }
    layers.sort(Comparator.comparingInt(SparseLayer::layer));
    return List.copyOf(layers);
  }

  /** Whether scores are of blocks that make up the keys, and each group of heads has its own. */
  private static boolean selectsBlocks(GraphNode attention, boolean fused, GraphNode score) {
    GraphNode keys = fused ? attention.source(1) : null;
    return keys != null
        && keys.ne().get(3) > 1
        && keys.ne().get(3).equals(score.ne().get(1))
        && keys.ne().get(1) > score.ne().getFirst()
        && keys.ne().get(1) % score.ne().getFirst() == 0;
  }

  /**
   * Whether the mask, and the keys, are some that all queries see and then as many as are scored.
   */
  private static boolean compressed(
      GraphNode mask, @Nullable GraphNode keysOrProducts, GraphNode score) {
    GraphNode keys = keysOrProducts;
    if (keys != null && keys.is(Op.MUL_MAT)) {
      keys = keys.sources().getFirst();
    }
    GraphNode parts = unconverted(mask);
    return keys != null
        && parts.is(Op.CONCAT)
        && unconverted(keys).is(Op.CONCAT)
        && parts.sources().get(1).ne().getFirst().equals(score.ne().getFirst());
  }

  /** What a tensor was before it was moved or converted to another type. */
  private static GraphNode unconverted(GraphNode tensor) {
    GraphNode node = tensor.origin();
    while (node.is(Op.CPY)) {
      node = node.sources().getFirst().origin();
    }
    return node;
  }

  /** The products of weights and rectified scores that are summed over heads; null for none. */
  private static @Nullable GraphNode weighted(GraphNode score) {
    GraphNode sum = ancestor(score, Op.SUM_ROWS);
    GraphNode product = sum == null ? null : sum.sources().getFirst();
    return product != null && product.is(Op.MUL) && products(product) != null ? product : null;
  }

  /** The products of keys and queries behind what is weighted; null where there are none. */
  private static @Nullable GraphNode products(GraphNode weighted) {
    GraphNode rectified = weighted.sources().getFirst().origin();
    GraphNode products = rectified.is(Op.UNARY) ? rectified.sources().getFirst().origin() : null;
    return products != null && products.is(Op.MUL_MAT) ? products : null;
  }

  /** What is written into the cache that a tensor is read from. */
  private static @Nullable GraphNode written(SiteMap map, GraphNode cached) {
    GraphNode cache = cached.cacheRoot();
    return map.graph().nodes().stream()
        .filter(node -> node.is(Op.SET_ROWS) && node.root() == cache)
        .findFirst()
        .map(node -> node.sources().getFirst().origin())
        .orElse(null);
  }

  /** Whether vectors are multiplied by a matrix that is an input, as Hadamard matrices are. */
  private static boolean isTurned(@Nullable GraphNode vectors) {
    if (vectors == null || !vectors.is(Op.MUL_MAT)) {
      return false;
    }
    GraphNode matrix = vectors.sources().getFirst();
    return matrix.isLeaf()
        && !matrix.isWeight()
        && matrix.ne().get(0).equals(vectors.ne().getFirst())
        && matrix.ne().get(1).equals(vectors.ne().getFirst());
  }

  /** The nearest node of an operation behind a tensor, not looked for behind a product. */
  private static @Nullable GraphNode ancestor(GraphNode tensor, Op wanted) {
    Set<GraphNode> seen = new HashSet<>();
    var open = new ArrayList<GraphNode>(List.of(tensor));
    for (int i = 0; i < open.size(); i++) {
      GraphNode node = open.get(i);
      if (node.is(wanted)) {
        return node;
      }
      if (seen.add(node) && !node.is(Op.MUL_MAT)) {
        open.addAll(node.sources());
      }
    }
    return null;
  }

  /** Multiplications for each key that a query sees, the trials of a diagnosis among them. */
  double costOfKey() {
    GraphNode queries = products == null ? attention.source(0) : products.source(1);
    double dense = queries == null ? 0 : (double) queries.ne().get(0) * queries.ne().get(2);
    int trials = PortMistake.values().length + 1;
    return dense + (double) trials * width() * heads();
  }

  /** Multiplications for each cell that is read: what turns index keys back. */
  double costOfCell() {
    return turned == null ? 0 : (double) width() * width();
  }

  private @Nullable GraphNode indexQueries() {
    return index == null ? null : index.source(weighted == null ? 0 : 1);
  }

  private long width() {
    GraphNode queries = indexQueries();
    return queries == null ? 0 : queries.ne().getFirst();
  }

  /** Index heads, 0 where the graph does not show them. */
  private int heads() {
    GraphNode queries = indexQueries();
    return queries == null ? 0 : Math.toIntExact(queries.ne().get(weighted == null ? 1 : 2));
  }

  SelectedLayer outline() {
    return new SelectedLayer(layer, heads(), cells() == score.ne().getFirst());
  }

  /** Keys that attention sees at most. */
  private long cells() {
    GraphNode keys = products == null ? attention.source(1) : products.source(0);
    return keys == null ? 0 : keys.ne().get(1);
  }

  /** Why the attention of this layer cannot be computed over all keys; null when it can. */
  @Nullable String unreadable() {
    if (products != null && !products.is(Op.MUL_MAT)) {
      return "its scores pass through " + products.opName() + " before the softmax";
    }
    return blocks || compressed || cells() == score.ne().getFirst()
        ? null
        : "its indexer scores %d places where attention sees %d keys"
            .formatted(score.ne().getFirst(), cells());
  }
}
