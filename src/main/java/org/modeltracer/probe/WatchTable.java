package org.modeltracer.probe;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Watched nodes by identity; looking one up allocates nothing. */
final class WatchTable {
  private long[] keys = new long[64];
  private WatchedNode[] nodes = new WatchedNode[64];
  private final List<WatchedNode> all = new ArrayList<>();

  void put(long identity, WatchedNode node) {
    int slot = slot(identity);
    WatchedNode first = nodes[slot];
    if (first != null) {
      if (!first.includes(node)) {
        first.add(node);
      }
      return;
    }
    keys[slot] = identity;
    nodes[slot] = node;
    all.add(node);
    if (2 * all.size() > keys.length) {
      grow();
    }
  }

  private void grow() {
    long[] oldKeys = keys;
    WatchedNode[] oldNodes = nodes;
    keys = new long[2 * oldKeys.length];
    nodes = new WatchedNode[2 * oldKeys.length];
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldNodes[i] != null) {
        int slot = slot(oldKeys[i]);
        keys[slot] = oldKeys[i];
        nodes[slot] = oldNodes[i];
      }
    }
  }

  private int slot(long identity) {
    int mask = keys.length - 1;
    int slot = (int) (identity ^ identity >>> 32) & mask;
    while (nodes[slot] != null && keys[slot] != identity) {
      slot = slot + 1 & mask;
    }
    return slot;
  }

  /** The watched node this occurrence of an identity stands for, or null. */
  @Nullable WatchedNode next(long identity) {
    WatchedNode first = nodes[slot(identity)];
    return first == null ? null : first.next();
  }

  /** A new graph begins: occurrences count from zero. */
  void restart() {
    for (int i = 0; i < all.size(); i++) {
      all.get(i).restart();
    }
  }
}
