package org.modeltracer.attach;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** Values of one node as they arrive: within their record, or in pieces behind it. */
final class ArrivingValues {
  private static final int CHUNKED = 0x100;
  private static final int MOST_PARTS = 8;
  private static final long MOST_BYTES = 1L << 31;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  /**
   * Values of a tensor, or the rows of an attention.
   *
   * @param kind by {@code enum part_kind} of {@code channel.h}
   * @param values to be read until the next record is taken
   */
  record Part(int tensor, int kind, MemorySegment values) {}

  /** A part that comes in pieces, and where they are put together. */
  private record Staged(int tensor, int kind, long at, long bytes) {}

  private final Arena arena;
  private final List<Part> parts = new ArrayList<>();
  private final List<Staged> staged = new ArrayList<>();
  private MemorySegment staging = MemorySegment.NULL;
  private int part;
  private long arrived;

  ArrivingValues(Arena arena) {
    this.arena = arena;
  }

  /**
   * Begins with the parts of a value record.
   *
   * @return whether they are all there, and {@link #parts} can be read
   * @throws IllegalArgumentException for what no values can be
   */
  boolean begin(MemorySegment record, int count, long from) {
    discard();
    if (count < 0 || count > MOST_PARTS) {
      throw new IllegalArgumentException("values of a node that is not there");
    }
    long at = from;
    long whole = 0;
    for (int i = 0; i < count; i++) {
      int tensor = record.get(INT, at);
      int kind = record.get(INT, at + 4);
      long bytes = record.get(LONG, at + 8);
      if (bytes < 0 || bytes > MOST_BYTES) {
        throw tooLarge(bytes);
      }
      at += 16;
      if ((kind & CHUNKED) != 0) {
        staged.add(new Staged(tensor, kind & ~CHUNKED, whole, bytes));
        whole += bytes + 63 & ~63L;
      } else {
        parts.add(new Part(tensor, kind, record.asSlice(at, bytes)));
        at += bytes + 7 & ~7L;
      }
    }
    if (whole > MOST_BYTES) {
      throw tooLarge(whole);
    }
    if (staging.byteSize() < whole) {
      staging = arena.allocate(whole, 64);
    }
    return staged.isEmpty();
  }

  private static IllegalArgumentException tooLarge(long bytes) {
    return new IllegalArgumentException("values of %d bytes".formatted(bytes));
  }

  /** Takes a piece; whether it was the last, and {@link #parts} can be read. */
  boolean chunk(MemorySegment record) {
    if (part >= staged.size()) {
      return false;
    }
    long offset = record.get(LONG, 16);
    long bytes = record.get(LONG, 24);
    Staged target = staged.get(part);
    boolean fits =
        bytes > 0
            && offset == arrived
            && bytes <= target.bytes - offset
            && bytes <= record.byteSize() - 32;
    if (!fits) {
      // A piece before this one was left out.
      discard();
      return false;
    }
    MemorySegment.copy(record, 32, staging, target.at + offset, bytes);
    arrived += bytes;
    if (arrived < target.bytes) {
      return false;
    }
    parts.add(new Part(target.tensor, target.kind, staging.asSlice(target.at, target.bytes)));
    arrived = 0;
    part++;
    return part == staged.size();
  }

  List<Part> parts() {
    return parts;
  }

  /** What has arrived, and what would still come, is of no use any more. */
  void discard() {
    parts.clear();
    staged.clear();
    part = 0;
    arrived = 0;
  }
}
