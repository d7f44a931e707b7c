package org.modeltracer.attach;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.RunningStats;
import org.modeltracer.probe.Reduced;

/** What an agent has computed of the node at hand. */
final class AgentNumbers implements Reduced {
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;

  private @Nullable MemorySegment statistics;
  private @Nullable MemorySegment rows;

  /** Nothing is known of the next node. */
  void clear() {
    statistics = rows = null;
  }

  /** Takes {@code struct statistics} of {@code channel.h}. */
  void statistics(byte[] told) {
    statistics = MemorySegment.ofArray(told);
  }

  /** Takes the rows of a fused attention. */
  void rows(MemorySegment told) {
    rows = told;
  }

  /** Whether the node at hand was reduced, and to what. */
  boolean reduce(RunningStats stats) {
    MemorySegment s = statistics;
    return s != null && addTo(stats, s.get(LONG, 0));
  }

  @Override
  public boolean addTo(RunningStats stats, Tensor node) {
    return addTo(stats, node.elements());
  }

  private boolean addTo(RunningStats stats, long elements) {
    MemorySegment s = statistics;
    if (s == null || s.get(LONG, 0) != elements) {
      return false;
    }
    stats.restore(
        s.get(LONG, 0),
        s.get(LONG, 8),
        s.get(LONG, 16),
        s.get(LONG, 24),
        s.get(LONG, 40),
        s.get(DOUBLE, 48),
        s.get(DOUBLE, 56),
        s.get(DOUBLE, 64),
        s.get(DOUBLE, 72),
        s.get(DOUBLE, 80));
    return true;
  }

  @Override
  public @Nullable MemorySegment rows(Tensor fused) {
    return rows;
  }
}
