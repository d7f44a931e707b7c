package org.modeltracer.probe;

import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.TokenAxis;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Place;

/** A node of the graph that a probe does something about, found by its identity. */
final class WatchedNode {
  final Place place;
  final String tensor;
  final String op;

  /** Whether it is attention in one operation, which leaves no softmax behind. */
  final boolean fused;

  /** Where it counts tokens, null where nothing shows it. */
  final @Nullable TokenAxis axis;

  /** Whether its source 1 holds the token ids, and a graph begins with it. */
  boolean tokens;

  /** Whether its source 1 holds the token positions. */
  boolean positions;

  /** Whether it writes keys into cells of a cache. */
  boolean cells;

  /** Whether its values are wanted. */
  boolean data;

  /** What its source 1 is, where that is read here and not where it is computed. */
  @Nullable WatchedNode input;

  /** Where it says which experts were chosen: of how many. */
  int experts;

  WatchedNode(GraphNode node, Place place, @Nullable TokenAxis axis) {
    this.place = place;
    this.axis = axis;
    tensor = node.name();
    op = node.opName();
    fused = node.is(Op.FLASH_ATTN_EXT);
  }
}
