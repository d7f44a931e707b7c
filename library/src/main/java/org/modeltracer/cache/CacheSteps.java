package org.modeltracer.cache;

import org.modeltracer.trace.KvCacheStateTrace;
import org.modeltracer.trace.ModelTracer;

/** The state of a context's KV cache, step by step. */
public final class CacheSteps {
  private final CacheLayout layout;
  private long reused;
  private long lookedUp;
  private int step;

  /** Steps from the first on. */
  public CacheSteps(CacheLayout layout) {
    this.layout = layout;
  }

  /** Of so many tokens of a prompt so many were still held. */
  public void looked(long tokens, long held) {
    lookedUp += tokens;
    reused += held;
  }

  /**
   * Records the state after a step; does nothing where there is no cache.
   *
   * @param accessed cached tokens that received attention, negative when that was not seen
   */
  public void record(ModelTracer tracer, int accessed) {
    CacheGroup main = layout.largest();
    if (main == null) {
      return;
    }
    long bytes = 0;
    for (int i = 0; i < layout.all().size(); i++) {
      bytes += layout.all().get(i).bytesUsed();
    }
    tracer.recordKvState(
        new KvCacheStateTrace(
            step++,
            main.cells().used(),
            main.cells().cells(),
            bytes,
            main.evicted(),
            lookedUp == 0 ? Double.NaN : (double) reused / lookedUp,
            main.oldestPosition(),
            main.fragmentation(),
            accessed < 0 ? null : accessed));
    reused = lookedUp = 0;
    for (int i = 0; i < layout.all().size(); i++) {
      layout.all().get(i).endStep();
    }
  }
}
