package org.modeltracer.probe;

import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Place;

/** A node of the graph that a probe does something about, found by its identity. */
final class WatchedNode {
  final Place place;
  final String tensor;
  final String op;
  final boolean fused;

  /** Whether its source 1 holds the token ids, and a graph begins with it. */
  boolean tokens;

  /** Whether its source 1 holds the token positions. */
  boolean positions;

  /** Whether it writes keys into cells of a cache. */
  boolean cells;

  /** Whether its values are wanted. */
  boolean data;

  /** Where it says which experts were chosen: of how many. */
  int experts;

  private final int occurrence;
  private int seen;
  private @Nullable WatchedNode twin;

  WatchedNode(Place place, String tensor, String op, int occurrence, boolean fused) {
    this.place = place;
    this.tensor = tensor;
    this.op = op;
    this.occurrence = occurrence;
    this.fused = fused;
  }

  /** Adds another node of the same identity, told apart by how often it occurred before. */
  void add(WatchedNode other) {
    WatchedNode last = this;
    while (last.twin != null) {
      last = last.twin;
    }
    last.twin = other;
  }

  /** The node meant by this occurrence of the identity, or null when that one is not watched. */
  @Nullable WatchedNode next() {
    int now = seen++;
    for (WatchedNode n = this; n != null; n = n.twin) {
      if (n.occurrence == now) {
        return n;
      }
    }
    return null;
  }

  /** A new graph begins. */
  void restart() {
    seen = 0;
  }

  /** Whether this occurrence is watched already, as happens when two graphs share a node. */
  boolean includes(WatchedNode other) {
    for (WatchedNode n = this; n != null; n = n.twin) {
      if (n.occurrence == other.occurrence) {
        return true;
      }
    }
    return false;
  }
}
