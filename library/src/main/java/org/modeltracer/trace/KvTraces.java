package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Finding;
import org.modeltracer.anomaly.KvRule;
import org.modeltracer.anomaly.Thresholds;

/** States of the KV cache: totals over the run, and the last steps in a ring of fixed size. */
final class KvTraces {
  /** Steps kept of a run of any length. */
  static final int STEPS = 256;

  private final KvRule rule;
  private final @Nullable KvCacheStateTrace[] ring = new KvCacheStateTrace[STEPS];
  private long steps;
  private long evictions;
  private long peakBytes;
  private int peakUsed;
  private double hitSum;
  private long lookups;

  KvTraces(Thresholds limits) {
    rule = new KvRule(limits);
  }

  @Nullable Finding record(KvCacheStateTrace state) {
    ring[(int) (steps++ % STEPS)] = state;
    evictions += state.evictions();
    peakBytes = Math.max(peakBytes, state.bytes());
    peakUsed = Math.max(peakUsed, state.cellsUsed());
    if (!Double.isNaN(state.hitRate())) {
      hitSum += state.hitRate();
      lookups++;
    }
    return rule.accept(state.cellsUsed(), state.capacity(), state.evictions(), state.hitRate());
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

  KvCacheSummary summary() {
    List<KvCacheStateTrace> last = new ArrayList<>();
    for (long i = Math.max(0, steps - STEPS); i < steps; i++) {
      last.add(Objects.requireNonNull(ring[(int) (i % STEPS)]));
    }
    return new KvCacheSummary(
        steps,
        evictions,
        hitRate(),
        peakUsed,
        peakBytes,
        rule.highEviction(),
        rule.thrashed(),
        last);
  }
}
