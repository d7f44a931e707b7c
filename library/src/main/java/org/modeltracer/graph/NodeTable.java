package org.modeltracer.graph;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is known of the nodes of a graph, found again by their identity as a graph runs.
 *
 * <p>Nodes of one identity are distinguished by how many of them came before in the graph. Looking
 * one up allocates nothing.
 */
public final class NodeTable<T> {
  private static final class Slot<T> {
    private final List<@Nullable T> byOccurrence = new ArrayList<>();
    private int seen;
  }

  private final LongTable<Slot<T>> slots = new LongTable<>();

  /** Enters what is known of a node, unless another graph has entered that node already. */
  public void put(GraphNode node, T value) {
    Slot<T> slot = slots.get(node.identity());
    if (slot == null) {
      slot = new Slot<>();
      slots.put(node.identity(), slot);
    }
    while (slot.byOccurrence.size() <= node.occurrence()) {
      slot.byOccurrence.add(null);
    }
    if (slot.byOccurrence.get(node.occurrence()) == null) {
      slot.byOccurrence.set(node.occurrence(), value);
    }
  }

  /** What is known of the node of an identity that comes by now, or null. */
  public @Nullable T next(long identity) {
    Slot<T> slot = slots.get(identity);
    return slot == null ? null : at(slot, slot.seen++);
  }

  /** What is known of a node, or null. */
  public @Nullable T get(GraphNode node) {
    Slot<T> slot = slots.get(node.identity());
    return slot == null ? null : at(slot, node.occurrence());
  }

  private static <T> @Nullable T at(Slot<T> slot, int occurrence) {
    return occurrence < slot.byOccurrence.size() ? slot.byOccurrence.get(occurrence) : null;
  }

  /** A new graph begins: occurrences count from zero. */
  public void restart() {
    List<Slot<T>> all = slots.values();
    for (int i = 0; i < all.size(); i++) {
      all.get(i).seen = 0;
    }
  }
}
