package org.modeltracer.diagnose;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.Place;
import org.modeltracer.model.TensorStats;

/**
 * A tensor of a graph that was watched: a node, or a leaf (weight, input, cache).
 *
 * @param address of the tensor, its identity while the graph lives
 * @param name without the decoration of a copy on another device
 * @param op operation, {@code NONE} for a leaf
 * @param type ggml's number of the element type
 * @param layer layer index; {@link Place#BEFORE_LAYERS} and {@link Place#AFTER_LAYERS} for the rest
 * @param ne elements by dimension, fastest first
 * @param sources in order
 * @param viewed the tensor this one is a view of, or null
 */
record Node(
    long address,
    String name,
    String op,
    int type,
    int layer,
    List<Long> ne,
    List<Node> sources,
    @Nullable Node viewed,
    Values values) {

  /** What the values turned out to be; filled in when they are computed. */
  static final class Values {
    @Nullable TensorStats stats;

    /** Whether minus infinity is among them as it is in an attention mask. */
    boolean masked;
  }

  private static final Pattern LAYER =
      Pattern.compile("(?:^|\\.)blk\\.(\\d+)\\.|^cache_[a-z]+_l(\\d+)|-(\\d+)(?: |$)");
  private static final Pattern COPY = Pattern.compile("^[^#]*#(.*)#\\d+$");

  static Node of(Tensor t, String op, List<Node> sources, @Nullable Node viewed, int firstLayer) {
    String name = COPY.matcher(t.name()).replaceFirst("$1");
    return new Node(
        t.address(),
        name,
        op,
        t.type(),
        layerOf(name, sources, firstLayer),
        List.of(t.ne(0), t.ne(1), t.ne(2), t.ne(3)),
        List.copyOf(sources),
        viewed,
        new Values());
  }

  private static int layerOf(String name, List<Node> sources, int first) {
    int layer = named(name, first);
    if (layer >= 0) {
      return layer;
    }
    boolean outer = false;
    layer = Place.BEFORE_LAYERS;
    for (Node source : sources) {
      if (source.isLeaf() && named(source.name, first) >= 0) {
        return named(source.name, first);
      }
      outer |= source.isWeight();
      layer = Math.max(layer, source.layer);
    }
    // A weight outside all layers that meets what layers have made: the final norm, the output.
    return outer && layer >= 0 ? Place.AFTER_LAYERS : layer;
  }

  private static int named(String name, int first) {
    Matcher m = LAYER.matcher(name);
    if (m.find()) {
      for (int g = 1; g <= m.groupCount(); g++) {
        if (m.group(g) != null) {
          return first + Integer.parseInt(m.group(g));
        }
      }
    }
    return -1;
  }

  boolean is(String operation) {
    return op.equals(operation);
  }

  boolean isLeaf() {
    return op.equals("NONE") && viewed == null;
  }

  boolean isWeight() {
    return isLeaf()
        && (name.contains("blk.")
            || name.endsWith(".weight")
            || name.endsWith(".bias")
            || name.endsWith(".scale"));
  }

  /** Whether this is memory that outlives a pass: KV cache or recurrent state. */
  boolean isMemory() {
    return root().isLeaf() && root().name.startsWith("cache_");
  }

  boolean isKvCache() {
    String name = root().name;
    return isMemory() && (name.startsWith("cache_k") || name.startsWith("cache_v"));
  }

  /** What is behind any number of views. */
  Node root() {
    Node n = this;
    while (n.viewed != null) {
      n = n.viewed;
    }
    return n;
  }

  /** Largest finite magnitude of the values, 0 when they are not known. */
  double absMax() {
    TensorStats stats = root().values.stats;
    return stats == null || Double.isNaN(stats.max())
        ? 0
        : Math.max(Math.abs(stats.min()), Math.abs(stats.max()));
  }

  /** Layer as people count it: null for what belongs to none. */
  @Nullable Integer layerOrNull() {
    return layer == Place.AFTER_LAYERS ? null : layer;
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return this == other;
  }

  @Override
  public int hashCode() {
    return System.identityHashCode(this);
  }

  @Override
  public String toString() {
    return name + " (" + op + ")";
  }
}
