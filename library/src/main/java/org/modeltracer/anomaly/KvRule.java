package org.modeltracer.anomaly;

import org.jspecify.annotations.Nullable;

/**
 * Watches a KV cache for running full and for thrashing.
 *
 * <p>Thrashing: within a window of steps at least half of them evict, half of the cache goes, and
 * what is looked up is mostly not there any more. A sliding window that drops one cell a step is
 * not thrashing.
 */
public final class KvRule {
  private final Thresholds limits;
  private final int[] evicted;
  private final double[] hits;
  private long steps;
  private boolean highEviction;
  private boolean thrashed;

  /** Starts watching a session. */
  public KvRule(Thresholds limits) {
    this.limits = limits;
    evicted = new int[limits.kvWindow()];
    hits = new double[limits.kvWindow()];
  }

  /**
   * Judges one step.
   *
   * @param used cells in use
   * @param capacity cells there are
   * @param evictions cells dropped in this step
   * @param hitRate positions reused over positions looked up, 0 to 1; NaN when none was looked up
   */
  public @Nullable Finding accept(int used, int capacity, int evictions, double hitRate) {
    int slot = (int) (steps++ % evicted.length);
    evicted[slot] = evictions;
    hits[slot] = hitRate;
    Finding thrashing = judge(capacity);
    if (thrashing != null) {
      thrashed = true;
      return thrashing;
    }
    return capacity > 0 && used >= capacity
        ? Finding.of(AnomalyKind.KV_EXHAUSTED, "all " + capacity + " cells are in use")
        : null;
  }

  /** Whether within some window of steps a large share of the cells was evicted. */
  public boolean highEviction() {
    return highEviction;
  }

  /** Whether the cache thrashed at some time. */
  public boolean thrashed() {
    return thrashed;
  }

  private @Nullable Finding judge(int capacity) {
    int evicting = 0;
    long cells = 0;
    double hitSum = 0;
    int lookups = 0;
    for (int i = 0; i < Math.min(steps, evicted.length); i++) {
      evicting += evicted[i] > 0 ? 1 : 0;
      cells += evicted[i];
      if (!Double.isNaN(hits[i])) {
        hitSum += hits[i];
        lookups++;
      }
    }
    highEviction |= cells > 0 && cells >= limits.kvEvictionShare() * capacity;
    if (steps < evicted.length) {
      return null;
    }
    boolean missing = lookups == 0 || hitSum < limits.kvHitRate() * lookups;
    if (2 * evicting < evicted.length || 2 * cells < capacity || !missing) {
      return null;
    }
    return Finding.of(
        AnomalyKind.KV_THRASHING,
        "%d cells of %d evicted in %d of the last %d steps"
            .formatted(cells, capacity, evicting, evicted.length));
  }
}
