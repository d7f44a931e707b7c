package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Finding;
import org.modeltracer.anomaly.KvRule;
import org.modeltracer.anomaly.Thresholds;

/** States of the KV cache: totals over the run, and the last steps in a ring of fixed size. */
final class KvTraces {
  /** Steps kept of a run of any length. */
  static final int STEPS = 256;

  private final KvRule rule;
  private final Slot[] ring = new Slot[STEPS];
  private long steps;
  private long evictions;
  private long peakBytes;
  private int peakUsed;
  private double hitSum;
  private long lookups;

  private static final class Slot {
    int step;
    int used;
    int capacity;
    long bytes;
    int evictions;
    double hitRate;
    int oldest;
    double fragmentation;
    int accessed;
  }

  KvTraces(Thresholds limits) {
    rule = new KvRule(limits);
    Arrays.setAll(ring, i -> new Slot());
  }

  @Nullable Finding record(
      int step,
      int used,
      int capacity,
      long bytes,
      int evicted,
      double hitRate,
      int oldest,
      double fragmentation,
      int accessed) {
    Slot slot = ring[(int) (steps++ % STEPS)];
    slot.step = step;
    slot.used = used;
    slot.capacity = capacity;
    slot.bytes = bytes;
    slot.evictions = evicted;
    slot.hitRate = hitRate;
    slot.oldest = oldest;
    slot.fragmentation = fragmentation;
    slot.accessed = accessed;
    evictions += evicted;
    peakBytes = Math.max(peakBytes, bytes);
    peakUsed = Math.max(peakUsed, used);
    if (!Double.isNaN(hitRate)) {
      hitSum += hitRate;
      lookups++;
    }
    return rule.accept(used, capacity, evicted, hitRate);
  }

  long steps() {
    return steps;
  }

  long evictions() {
    return evictions;
  }

  /** Mean hit rate of the steps that looked a prompt up, NaN when none did. */
  double hitRate() {
    return hitSum / lookups;
  }

  Map<String, @Nullable Object> toJson() {
    List<Map<String, @Nullable Object>> last = new ArrayList<>();
    for (long i = Math.max(0, steps - STEPS); i < steps; i++) {
      last.add(json(ring[(int) (i % STEPS)]));
    }
    Map<String, @Nullable Object> object = new LinkedHashMap<>();
    object.put("steps", steps);
    object.put("evictions", evictions);
    object.put("hit_rate", hitRate());
    object.put("peak_cells", peakUsed);
    object.put("peak_bytes", peakBytes);
    object.put("high_eviction", rule.highEviction());
    object.put("thrashing", rule.thrashed());
    object.put("last_steps", last);
    return object;
  }

  private static Map<String, @Nullable Object> json(Slot s) {
    var state =
        new KvCacheStateTrace(
            s.step,
            s.used,
            s.capacity,
            s.bytes,
            s.evictions,
            s.hitRate,
            s.oldest,
            s.fragmentation,
            s.accessed);
    Map<String, @Nullable Object> object = new LinkedHashMap<>();
    object.put("step", s.step);
    object.put("cells_used", s.used);
    object.put("capacity", s.capacity);
    object.put("utilization", state.utilization());
    object.put("bytes", s.bytes);
    object.put("evictions", s.evictions);
    object.put("hit_rate", s.hitRate);
    object.put("oldest_position", s.oldest < 0 ? null : s.oldest);
    object.put("fragmentation", s.fragmentation);
    object.put("accessed_positions", s.accessed < 0 ? null : s.accessed);
    return object;
  }
}
