package org.modeltracer.attach;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The consumer's side of one context: its records, and what is wanted of it. */
final class Slot implements Plans {
  static final int FREE = 0;
  static final int LIVE = 1;
  static final int DONE = 2;

  static final int PAD = 1;

  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
  private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();
  private static final long STATE_AT = 0;
  private static final long PID_AT = 4;
  private static final long HEAD_AT = 64;
  private static final long TAIL_AT = 128;
  private static final long ANSWERED_AT = 192;
  private static final long VERSION_AT = 196;
  private static final long ANY_ORDER_AT = 200;
  private static final long HEADS_AT = 256;
  private static final int HEADER = 16;

  /** A record that cannot be; what the slot's owner writes is not read any further. */
  static final class Broken extends RuntimeException {
    private static final long serialVersionUID = 1;

    Broken(String message) {
      super(message);
    }
  }

  private final MemorySegment page;
  private final MemorySegment plans;
  private final MemorySegment ring;
  private final long ringBytes;
  private long tail;
  private long next;
  private int version;

  Slot(MemorySegment memory, long ringBytes) {
    this.ringBytes = ringBytes;
    page = memory.asSlice(0, Channel.PAGE);
    plans = memory.asSlice(Channel.PAGE, Channel.PLANS);
    ring = memory.asSlice(Channel.PAGE + Channel.PLANS, ringBytes);
  }

  int state() {
    return (int) INT.getAcquire(page, STATE_AT);
  }

  /** Process that has claimed this slot. */
  int pid() {
    return page.get(ValueLayout.JAVA_INT, PID_AT);
  }

  /** Gives the slot to whoever wants it next; what it held has been read. */
  void free() {
    tail = next = 0;
    plans.fill((byte) 0);
    LONG.setRelease(page, HEAD_AT, 0L);
    LONG.setRelease(page, TAIL_AT, 0L);
    INT.setRelease(page, ANSWERED_AT, 0);
    INT.setRelease(page, ANY_ORDER_AT, 0);
    INT.setRelease(page, STATE_AT, FREE);
    page.set(ValueLayout.JAVA_INT, PID_AT, 0);
  }

  /**
   * The next record, header included, or null when there is none yet. It may change under the
   * reader, never its bounds; {@link #release} gives its room back.
   *
   * @throws Broken for what is no record
   */
  @Nullable MemorySegment next() {
    while (true) {
      long head = (long) LONG.getAcquire(page, HEAD_AT);
      long there = head - tail;
      if (there == 0) {
        return null;
      }
      if (there < 0 || there > ringBytes || (head & 7) != 0) {
        throw new Broken("its writing position is nowhere");
      }
      long at = tail & ringBytes - 1;
      long rest = ringBytes - at;
      if (rest < HEADER) {
        skip(rest, there);
        continue;
      }
      long bytes = Integer.toUnsignedLong(ring.get(ValueLayout.JAVA_INT, at));
      int type = ring.get(ValueLayout.JAVA_INT, at + 4);
      if (type == PAD) {
        if (bytes != rest) {
          throw new Broken("a gap of %d bytes where %d are left".formatted(bytes, rest));
        }
        skip(rest, there);
        continue;
      }
      if (bytes < HEADER || (bytes & 7) != 0 || bytes > there || bytes > rest) {
        throw new Broken("a record of %d bytes where %d are".formatted(bytes, there));
      }
      next = tail + bytes;
      return ring.asSlice(at, bytes);
    }
  }

  /** Whether nothing is there to be read. */
  boolean isEmpty() {
    return (long) LONG.getAcquire(page, HEAD_AT) == tail;
  }

  private void skip(long bytes, long there) {
    if (bytes > there) {
      throw new Broken("a gap beyond what was written");
    }
    tail += bytes;
    next = tail;
  }

  /** The record handed out last has been read. */
  void release() {
    tail = next;
    LONG.setRelease(page, TAIL_AT, tail);
  }

  /** Passes over everything that has been written. */
  void discard() {
    tail = next = (long) LONG.getAcquire(page, HEAD_AT);
    LONG.setRelease(page, TAIL_AT, tail);
  }

  @Override
  public void plan(int topology, byte[] wants) {
    long at = (long) topology * Channel.MOST_NODES;
    MemorySegment.copy(wants, 0, plans, ValueLayout.JAVA_BYTE, at, wants.length);
    version++;
    INT.setRelease(page, VERSION_AT, version);
  }

  @Override
  public int version() {
    return version;
  }

  @Override
  public void heads(IntPredicate wanted) {
    for (int i = 0; i < Channel.MOST_HEADS / 8; i++) {
      int bits = 0;
      for (int b = 0; b < 8; b++) {
        bits |= wanted.test(8 * i + b) ? 1 << b : 0;
      }
      page.set(ValueLayout.JAVA_BYTE, HEADS_AT + i, (byte) bits);
    }
  }

  @Override
  public void anyOrder(boolean any) {
    INT.setRelease(page, ANY_ORDER_AT, any ? 1 : 0);
  }

  @Override
  public void answered(int surveys) {
    INT.setRelease(page, ANSWERED_AT, surveys);
  }
}
