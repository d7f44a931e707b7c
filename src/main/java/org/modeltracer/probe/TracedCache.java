package org.modeltracer.probe;

import org.modeltracer.llama.KvCache;
import org.modeltracer.trace.ModelTracer;

/**
 * A context's KV cache together with what is known of its cells.
 *
 * <p>Operations go to llama.cpp and to the map of cells alike, so that rows of attention keep being
 * told by token position.
 */
public final class TracedCache {
  private final KvCache cache;
  private final CacheLayout layout;
  private final int sequences;
  private final HeldPrefix held = new HeldPrefix();
  private int evictions;
  private long reused;
  private long lookedUp;
  private int step;

  TracedCache(KvCache cache, CacheLayout layout, int sequences) {
    this.cache = cache;
    this.layout = layout;
    this.sequences = sequences;
  }

  /** Forgets everything. */
  public void clear() {
    held.forgetFrom(0);
    if (!cache.exists()) {
      return;
    }
    cache.clear();
    CacheLayout.Cache largest = layout.largest();
    evictions += largest == null ? 0 : largest.cells().used();
    layout.all().forEach(c -> c.cells().clear());
  }

  /**
   * Forgets positions {@code from <= p < to} of a sequence; a negative {@code to} means the end.
   *
   * @return false when the model cannot forget part of a sequence
   */
  public boolean remove(int sequence, int from, int to) {
    if (!cache.exists() || !cache.remove(sequence, from, to)) {
      return false;
    }
    layout.all().forEach(c -> count(c, c.cells().remove(sequence, from, to)));
    forgetPrefix(sequence, from);
    return true;
  }

  /** As {@link #remove}, to write the same again: no eviction. */
  boolean rewind(int sequence, int from) {
    boolean done = cache.remove(sequence, from, CellMap.END);
    if (done) {
      layout.all().forEach(c -> c.cells().remove(sequence, from, CellMap.END));
    }
    return done;
  }

  /** As {@link #clear}, to write the same again: no eviction. */
  void rewindAll() {
    cache.clear();
    layout.all().forEach(c -> c.cells().clear());
  }

  CacheLayout layout() {
    return layout;
  }

  boolean exists() {
    return cache.exists();
  }

  /** First tokens of sequence 0 that are known to be in the cache. */
  HeldPrefix held() {
    return held;
  }

  /**
   * Makes positions of one sequence part of another too.
   *
   * @throws org.modeltracer.llama.LlamaException for a part of a sequence where sequences have
   *     streams of their own
   */
  public void copy(int source, int target, int from, int to) {
    if (source == target) {
      return;
    }
    cache.copy(source, target, from, to);
    forgetPrefix(target, 0);
    for (CacheLayout.Cache c : layout.all()) {
      if (c.streams() > 1) {
        c.cells().copyStream(source, target, c.streamCells());
      } else {
        c.cells().copy(source, target, from, to);
      }
    }
  }

  /** Forgets all sequences but one. */
  public void keep(int sequence) {
    // llama.cpp's own operation leaves the streams of the other sequences as they are.
    for (int other = 0; other < sequences; other++) {
      if (other != sequence) {
        remove(other, 0, CellMap.END);
      }
    }
  }

  /**
   * Moves positions {@code from <= p < to} of a sequence by {@code delta}, and with them those of
   * sequences that share its cells; what moves below zero is forgotten.
   *
   * @throws org.modeltracer.llama.LlamaException when {@link #canShift} says no
   */
  public void shift(int sequence, int from, int to, int delta) {
    cache.shift(sequence, from, to, delta);
    layout.all().forEach(c -> count(c, c.cells().shift(sequence, from, to, delta)));
    held.forgetFrom(Math.min(from, from + delta));
  }

  private void forgetPrefix(int sequence, int from) {
    if (sequence == 0) {
      held.forgetFrom(from);
    }
  }

  private void count(CacheLayout.Cache c, int emptied) {
    if (c == layout.largest()) {
      evictions += emptied;
    }
  }

  /** Highest position of a sequence, -1 when it has none. */
  public int lastPosition(int sequence) {
    return cache.exists() ? cache.lastPosition(sequence) : -1;
  }

  /** Whether positions can be moved. */
  public boolean canShift() {
    return cache.exists() && cache.canShift();
  }

  /** A token of a sequence was computed. */
  void wrote(int sequence, int position, int token) {
    if (sequence == 0) {
      held.wrote(position, token);
    }
  }

  /**
   * Makes room for a prompt as sequence 0, keeping what the cache already holds of its beginning.
   *
   * @param reuse whether to keep anything
   * @return tokens kept, always fewer than the prompt's
   */
  int start(int[] prompt, boolean reuse) {
    int common = reuse ? Math.min(held.common(prompt), prompt.length - 1) : 0;
    if (lastPosition(0) >= common && !(holdsAll(common) && remove(0, common, CellMap.END))) {
      clear();
      common = 0;
    }
    lookedUp += prompt.length;
    reused += common;
    return common;
  }

  /** Whether all caches hold sequence 0 up to there; small ones drop what has left the window. */
  private boolean holdsAll(int to) {
    boolean windows = layout.all().stream().anyMatch(c -> c.streamCells() < largestStream());
    return !windows || layout.all().stream().allMatch(c -> c.cells().count(0, to) == to);
  }

  private int largestStream() {
    CacheLayout.Cache largest = layout.largest();
    return largest == null ? 0 : largest.streamCells();
  }

  /** Forgets what a failed pass may have left: cells beyond what llama.cpp says it holds. */
  void afterFailure() {
    held.forgetFrom(0);
    for (int s = 0; s < sequences; s++) {
      int last = lastPosition(s);
      int sequence = s;
      layout.all().forEach(c -> c.cells().remove(sequence, last + 1, CellMap.END));
    }
  }

  /** Records the state after a step. */
  void record(ModelTracer tracer, int overwritten) {
    CacheLayout.Cache largest = layout.largest();
    if (largest == null) {
      return;
    }
    CellMap cells = largest.cells();
    int used = cells.used();
    tracer.recordKvState(
        step++,
        used,
        cells.cells(),
        used * layout.bytesPerCell(),
        evictions + overwritten,
        lookedUp == 0 ? Double.NaN : (double) reused / lookedUp,
        cells.oldest(),
        used == 0 ? 0 : 1 - (double) cells.longestRun() / used,
        -1);
    evictions = 0;
  }

  /** Cells of the largest cache that hold a token. */
  public int cellsUsed() {
    CacheLayout.Cache largest = layout.largest();
    return largest == null ? 0 : largest.cells().used();
  }

  /** Cells of the largest cache. */
  public int capacity() {
    CacheLayout.Cache largest = layout.largest();
    return largest == null ? 0 : largest.cells().cells();
  }
}
