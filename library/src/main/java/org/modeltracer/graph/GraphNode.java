package org.modeltracer.graph;

import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Operation;

/**
 * A tensor of a surveyed graph: a node that is computed, or a leaf (weight, input, cache).
 *
 * @param index position in execution order, -1 for a leaf
 * @param address of the {@code ggml_tensor} while the graph lived
 * @param name as llama.cpp names it, without the decoration of a copy on another device
 * @param operation what it computes
 * @param op the operation, {@code NONE} for a leaf
 * @param opName ggml's name of it
 * @param type ggml's number of the element type
 * @param ne elements by dimension, fastest first
 * @param flags ggml's flag bits
 * @param bytes from the first element to the last
 * @param identity see {@link NodeIdentity}
 * @param occurrence how many nodes of the same identity came before in the graph
 * @param sources in order
 * @param viewed the tensor this one is a view of, or null
 */
public record GraphNode(
    int index,
    long address,
    String name,
    Operation operation,
    Op op,
    String opName,
    int type,
    List<Long> ne,
    int flags,
    long bytes,
    long identity,
    int occurrence,
    List<GraphNode> sources,
    @Nullable GraphNode viewed) {

  private static final Set<Op> MOVES =
      Set.of(Op.VIEW, Op.RESHAPE, Op.PERMUTE, Op.TRANSPOSE, Op.CONT);
  private static final Pattern LAYER =
      Pattern.compile(
          "(?:^|\\.)blk\\.(\\d{1,9})\\.|^cache_[a-z]+_l(\\d{1,9})(?!\\d)|-(\\d{1,9})(?: |$)");

  public boolean isLeaf() {
    return index < 0;
  }

  public boolean is(Op operation) {
    return op == operation;
  }

  /** Whether this only rearranges its source. */
  boolean moves() {
    return MOVES.contains(op);
  }

  /** The tensor whose values these are, before any rearranging; a slice is an origin itself. */
  public GraphNode origin() {
    GraphNode n = this;
    while (n.moves() && !n.sources.isEmpty() && n.elements() == n.sources.getFirst().elements()) {
      n = n.sources.getFirst();
    }
    return n;
  }

  long elements() {
    return ne.stream().reduce(1L, (a, b) -> a * b);
  }

  /** Name without layer number and what ggml appended, such as {@code ffn_out}. */
  String baseName() {
    int end = name.indexOf(" (");
    String own = end < 0 ? name : name.substring(0, end);
    return own.replaceFirst("-\\d+$", "");
  }

  /** Layer in the name, -1 when there is none. */
  public int namedLayer() {
    Matcher m = LAYER.matcher(name);
    if (!m.find()) {
      return -1;
    }
    for (int g = 1; g <= m.groupCount(); g++) {
      if (m.group(g) != null) {
        return Integer.parseInt(m.group(g));
      }
    }
    return -1;
  }

  /** Whether this is a tensor of the model file. */
  public boolean isWeight() {
    return isLeaf()
        && (name.contains("blk.")
            || name.endsWith(".weight")
            || name.endsWith(".bias")
            || name.endsWith(".scale"));
  }

  /** Role of a weight within its layer, such as {@code attn_q}; empty for anything else. */
  public String role() {
    if (!isWeight()) {
      return "";
    }
    return name.replaceFirst("^(enc\\.|dec\\.)?(blk\\.\\d+\\.)?", "")
        .replaceFirst("\\.(weight|bias|scale)$", "");
  }

  /** The leaf behind any number of views; a node that is no view is its own. */
  public GraphNode root() {
    GraphNode n = this;
    while (n.viewed != null) {
      n = n.viewed;
    }
    return n;
  }

  /** The cache these keys or values are read from, also where they are converted on the way. */
  public GraphNode cacheRoot() {
    GraphNode n = root();
    while (n.is(Op.CPY) || n.is(Op.CONT)) {
      n = n.sources.getFirst().root();
    }
    return n;
  }

  /** Whether this is (a view of) a cache whose name begins so, such as {@code cache_k}. */
  public boolean isCache(String kind) {
    GraphNode root = root();
    return root.isLeaf() && root.name.startsWith(kind);
  }

  /** Whether this is memory that outlives a pass: KV cache or recurrent state. */
  public boolean isMemory() {
    return isCache("cache_");
  }

  /** Whether these are cached keys or values. */
  public boolean isKvCache() {
    return isCache("cache_k") || isCache("cache_v");
  }

  /** Whether these are keys made of what an encoder read, not of a decoder's own tokens. */
  boolean isOfEncoder() {
    GraphNode n = this;
    while ((n.moves() || n.is(Op.CPY)) && !n.sources.isEmpty()) {
      n = n.sources.getFirst();
    }
    return n.is(Op.MUL_MAT) && n.sources.getFirst().role().equals("cross_attn_k");
  }

  /** The i-th source, or null. */
  public @Nullable GraphNode source(int i) {
    return i < sources.size() ? sources.get(i) : null;
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
    return name + ":" + opName;
  }
}
