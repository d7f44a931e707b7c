package org.modeltracer.attach;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import org.modeltracer.cache.CacheGroup;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.cache.CellMap;
import org.modeltracer.llama.CacheCall;

/**
 * What a program has done to its KV cache by a function of llama.cpp.
 *
 * @param kind which function
 * @param sequence whose positions; negative for all
 * @param other the sequence that a copy goes to
 * @param from first position
 * @param to end of the positions, {@link CellMap#END} for all that follow
 * @param delta by how much they move
 */
record CacheOperation(CacheCall kind, int sequence, int other, int from, int to, int delta) {
  private static final int MOST_POSITION = 1 << 24;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  /** The same within what can be. */
  CacheOperation {
    sequence = Math.clamp(sequence, -1, RemoteContext.SEQUENCES - 1);
    other = Math.clamp(other, 0, RemoteContext.SEQUENCES - 1);
    from = Math.clamp(from, 0, MOST_POSITION);
    to = to < 0 || to > MOST_POSITION ? CellMap.END : to;
    delta = Math.clamp(delta, -MOST_POSITION, MOST_POSITION);
  }

  /**
   * Reads a record of an agent's.
   *
   * @throws IllegalArgumentException for no operation
   */
  static CacheOperation read(MemorySegment record) {
    int kind = record.get(INT, 16);
    // The functions are in the order of enum memory_op in channel.h.
    CacheCall[] all = CacheCall.values();
    if (kind < 0 || kind >= all.length) {
      throw new IllegalArgumentException("no such operation on a cache");
    }
    return new CacheOperation(
        all[kind],
        record.get(INT, 20),
        record.get(INT, 24),
        record.get(INT, 28),
        record.get(INT, 32),
        record.get(INT, 36));
  }

  /** The sequences whose positions are meant. */
  IntStream sequences() {
    return switch (kind) {
      case CLEAR -> IntStream.range(0, RemoteContext.SEQUENCES);
      case KEEP -> IntStream.range(0, RemoteContext.SEQUENCES).filter(s -> s != sequence);
      case REMOVE, COPY, SHIFT ->
          sequence < 0 ? IntStream.range(0, RemoteContext.SEQUENCES) : IntStream.of(sequence);
    };
  }

  /** Does the same to what is known of the cells. */
  void applyTo(CacheLayout caches) {
    caches.all().forEach(this::applyTo);
  }

  private void applyTo(CacheGroup group) {
    CellMap cells = group.cells();
    switch (kind) {
      case CLEAR -> {
        group.evict(cells.used());
        cells.clear();
      }
      case REMOVE -> sequences().forEach(s -> group.evict(cells.remove(s, from, to)));
      case COPY -> {
        int source = Math.max(0, sequence);
        if (group.streams() > 1) {
          group.evict(cells.copyStream(source, other, group.streamCells()));
        } else {
          cells.copy(source, other, from, to);
        }
      }
      case KEEP -> {
        // Streams of other sequences stay as they are.
        if (group.streams() == 1) {
          sequences().forEach(s -> group.evict(cells.remove(s, 0, CellMap.END)));
        }
      }
      case SHIFT -> sequences().forEach(s -> group.evict(cells.shift(s, from, to, delta)));
    }
  }
}
