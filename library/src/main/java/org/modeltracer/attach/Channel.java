package org.modeltracer.attach;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import org.modeltracer.llama.SharedMemory;

/**
 * The memory that traced processes write into: a slot for each context of llama.cpp.
 *
 * <p>Laid out as {@code native/agent/channel.h} has it. Traced processes run as the same user and
 * may write anything anywhere in it: nothing that is read here is taken at its word.
 */
final class Channel implements AutoCloseable {
  /** Environment variable that tells an agent where the memory is. */
  static final String VARIABLE = "MODELTRACER_ATTACH";

  static final int PAGE = 4096;
  static final int MOST_TOPOLOGIES = 16;
  static final int MOST_NODES = 16384;
  static final int MOST_HEADS = 1024;
  static final long PLANS = (long) MOST_TOPOLOGIES * MOST_NODES;

  private static final long MAGIC = 0x4843415454414d31L;
  private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
  private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();
  private static final long MAGIC_AT = 0;
  private static final long SLOTS_AT = 8;
  private static final long PID_AT = 12;
  private static final long RING_AT = 16;
  private static final long OVERFLOW_AT = 24;
  private static final long CLOSED_AT = 28;
  private static final long HEARTBEAT_AT = 32;
  private static final long GAVE_UP_AT = 40;

  private final SharedMemory shared;
  private final MemorySegment memory;
  private final List<Slot> slots = new ArrayList<>();

  /**
   * Makes a channel.
   *
   * @param count contexts that can be traced at once
   * @param ringBytes room for records of one context: a power of two
   * @param drop whether records without room are left out, rather than waited for
   */
  Channel(int count, long ringBytes, boolean drop) {
    if (Long.bitCount(ringBytes) != 1 || ringBytes < 1 << 20) {
      throw new IllegalArgumentException("a ring has a power of two of bytes, 1 MiB at least");
    }
    long each = PAGE + PLANS + ringBytes;
    shared = new SharedMemory(PAGE + count * each);
    memory = shared.memory();
    for (int i = 0; i < count; i++) {
      slots.add(new Slot(memory.asSlice(PAGE + i * each, each), ringBytes));
    }
    memory.set(ValueLayout.JAVA_INT, SLOTS_AT, count);
    memory.set(ValueLayout.JAVA_INT, PID_AT, (int) ProcessHandle.current().pid());
    memory.set(ValueLayout.JAVA_LONG, RING_AT, ringBytes);
    memory.set(ValueLayout.JAVA_INT, OVERFLOW_AT, drop ? 1 : 0);
    beat();
    LONG.setRelease(memory, MAGIC_AT, MAGIC);
  }

  /** What {@link #VARIABLE} names. */
  String path() {
    return shared.path();
  }

  List<Slot> slots() {
    return slots;
  }

  /** Shows that this process lives; a program waits no longer for one that has not for seconds. */
  void beat() {
    // The clock that Linux counts from its start, which other processes see too.
    LONG.setRelease(memory, HEARTBEAT_AT, System.nanoTime());
  }

  /** Whether a program has waited too long for room, or for a plan, and tells no more. */
  boolean gaveUp() {
    return (int) INT.getAcquire(memory, GAVE_UP_AT) != 0;
  }

  /** Tells all programs that nothing is wanted any more. */
  void stop() {
    INT.setRelease(memory, CLOSED_AT, 1);
  }

  @Override
  public void close() {
    stop();
    shared.close();
  }
}
