package org.modeltracer.anomaly;

import org.modeltracer.model.RunningStats;

/** What was normal so far at one place: the largest peak and deviation of its healthy passes. */
public final class PlaceHistory {
  private int passes;
  private double absMax;
  private double std;

  /** Takes a healthy pass into account. */
  public void accept(RunningStats stats) {
    passes++;
    absMax = Math.max(absMax, stats.absMax());
    std = Math.max(std, stats.std());
  }

  /** Number of healthy passes seen. */
  public int passes() {
    return passes;
  }

  /** Whether there were enough passes to judge by. */
  public boolean established(Thresholds limits) {
    return passes >= limits.historyPasses();
  }

  /** Whether a pass is within the allowed growth over what was normal so far. */
  public boolean covers(RunningStats stats, Thresholds limits) {
    double factor = limits.historyFactor();
    return stats.absMax() <= factor * absMax && stats.std() <= factor * std;
  }
}
