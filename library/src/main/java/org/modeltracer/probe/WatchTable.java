package org.modeltracer.probe;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.LongTable;

/** Watched nodes by identity; looking one up allocates nothing. */
final class WatchTable {
  private final LongTable<WatchedNode> nodes = new LongTable<>();

  void put(long identity, WatchedNode node) {
    WatchedNode first = nodes.get(identity);
    if (first == null) {
      nodes.put(identity, node);
    } else if (!first.includes(node)) {
      first.add(node);
    }
  }

  /** The watched node this occurrence of an identity stands for, or null. */
  @Nullable WatchedNode next(long identity) {
    WatchedNode first = nodes.get(identity);
    return first == null ? null : first.next();
  }

  /** A new graph begins: occurrences count from zero. */
  void restart() {
    List<WatchedNode> all = nodes.values();
    for (int i = 0; i < all.size(); i++) {
      all.get(i).restart();
    }
  }
}
