package org.modeltracer.session;

import java.util.List;
import java.util.stream.IntStream;
import org.modeltracer.cache.CacheContents;
import org.modeltracer.cache.CacheGroup;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.cache.CacheStatistics;
import org.modeltracer.cache.CacheSteps;
import org.modeltracer.cache.CellMap;
import org.modeltracer.cache.HeldTokens;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.KvCache;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.trace.KvCacheTrace;
import org.modeltracer.trace.ModelTracer;

/**
 * A context's KV cache together with what is known of its cells.
 *
 * <p>Operations go to llama.cpp and to the map of cells alike, so that rows of attention keep being
 * reported by token position.
 */
public final class TracedCache {
  private final LlamaModel model;
  private final KvCache cache;
  private final CacheLayout layout;
  private final int sequences;
  private final int sequenceTokens;
  private final CacheContents contents;
  private final Listeners listeners;
  private final HeldTokens held = new HeldTokens();
  private final CacheSteps steps;

  TracedCache(LlamaContext context, CacheLayout layout, Listeners listeners) {
    this.listeners = listeners;
    model = context.model();
    cache = context.cache();
    this.layout = layout;
    sequences = context.options().sequences().count();
    sequenceTokens = context.sequenceTokens();
    steps = new CacheSteps(layout);
    contents = new CacheContents(model.runtime(), layout, sequences);
  }

  /** Forgets everything. */
  public void clear() {
    held.clear();
    if (!cache.exists()) {
      return;
    }
    cache.clear();
    for (CacheGroup group : layout.all()) {
      group.evict(group.cells().used());
      group.cells().clear();
    }
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
    layout.all().forEach(g -> g.evict(g.cells().remove(sequence, from, to)));
    if (sequence == 0) {
      held.remove(from, to);
    }
    return true;
  }

  /** As {@link #remove}, to write the same again: no eviction. */
  boolean rewind(int sequence, int from) {
    boolean done = cache.remove(sequence, from, CellMap.END);
    if (done) {
      layout.all().forEach(g -> g.cells().remove(sequence, from, CellMap.END));
    }
    return done;
  }

  /** As {@link #clear}, to write the same again: no eviction. */
  void rewindAll() {
    cache.clear();
    layout.all().forEach(g -> g.cells().clear());
  }

  CacheLayout layout() {
    return layout;
  }

  boolean exists() {
    return cache.exists();
  }

  /** The tokens of sequence 0 that are known to be in the cache. */
  HeldTokens held() {
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
    if (target == 0) {
      held.clear();
    }
    boolean streams = false;
    for (CacheGroup group : layout.all()) {
      if (group.streams() > 1) {
        streams = true;
        group.evict(group.cells().copyStream(source, target, group.streamCells()));
      } else {
        group.cells().copy(source, target, from, to);
      }
    }
    if (streams) {
      contents.copied(source, target);
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
    listeners.shift(sequence, from, to, delta);
    cache.shift(sequence, from, to, delta);
    layout.all().forEach(g -> g.evict(g.cells().shift(sequence, from, to, delta)));
    if (sequence == 0) {
      held.shift(from, to, delta);
    } else {
      // Sequence 0 may share the cells.
      held.remove(Math.min(from, from + delta), CellMap.END);
    }
  }

  /** Highest position of a sequence, -1 when it has none. */
  public int lastPosition(int sequence) {
    return cache.exists() ? cache.lastPosition(sequence) : -1;
  }

  /** Whether positions can be moved; not where part of the memory is a recurrent state. */
  public boolean canShift() {
    return cache.exists() && !layout.all().isEmpty() && !model.isRecurrent() && cache.canShift();
  }

  /** A token of a sequence was computed. */
  void wrote(int sequence, int position, int token) {
    if (sequence == 0) {
      held.wrote(position, token);
    }
    contents.settled();
  }

  /**
   * Makes room for a prompt as sequence 0, keeping what the cache already holds of it.
   *
   * @return tokens kept, always fewer than the prompt's
   */
  int start(int[] prompt, CachePolicy policy) {
    int common = policy.reusePrefix() ? held.common(prompt) : 0;
    if (policy.reuseChunk() > 0 && canShift() && holdsAll(common)) {
      common = moveChunks(prompt, common, policy.reuseChunk());
    }
    common = Math.min(common, prompt.length - 1);
    if (lastPosition(0) >= common && !(holdsAll(common) && remove(0, common, CellMap.END))) {
      common = 0;
      if (!remove(0, 0, CellMap.END)) {
        clear();
      }
    }
    steps.looked(prompt.length, common);
    return common;
  }

  /** Moves what the prompt goes on with, wherever it is held, into place; as llama-server does. */
  private int moveChunks(int[] prompt, int common, int least) {
    int from = common;
    int to = common;
    while (from < held.end() && to < prompt.length) {
      int same = held.match(from, prompt, to);
      if (same < least) {
        from++;
        continue;
      }
      if (from > to) {
        remove(0, to, from);
        shift(0, from, from + same, to - from);
      }
      from += same;
      to += same;
    }
    return to;
  }

  /** Whether all caches hold sequence 0 up to there; small ones drop what has left the window. */
  private boolean holdsAll(int to) {
    return layout.all().size() < 2
        || layout.all().stream().allMatch(g -> g.cells().count(0, to) == to);
  }

  /** Whether one more token of sequence 0 finds a cell. */
  boolean hasRoom() {
    CacheGroup largest = layout.largest();
    return largest == null || dropsCells(largest) || largest.free(0) > 0;
  }

  /** A cache for windows alone makes room by itself. */
  private boolean dropsCells(CacheGroup largest) {
    return largest.streamCells() < sequenceTokens;
  }

  /** Whether all tokens of a batch find a cell. */
  boolean hasRoom(Batch batch) {
    CacheGroup largest = layout.largest();
    if (largest == null || dropsCells(largest)) {
      return true;
    }
    int[] wanted = new int[largest.streams()];
    for (int i = 0; i < batch.size(); i++) {
      wanted[largest.streams() > 1 ? batch.sequence(i) : 0]++;
    }
    return IntStream.range(0, wanted.length).allMatch(s -> wanted[s] <= largest.free(s));
  }

  /** Whether every cell holds a token. */
  boolean isFull() {
    CacheGroup largest = layout.largest();
    return largest != null && largest.cells().used() == largest.cells().cells();
  }

  /** Forgets what a failed pass may have left: cells beyond what llama.cpp says it holds. */
  void afterFailure() {
    held.clear();
    for (int s = 0; s < sequences; s++) {
      int last = lastPosition(s);
      int sequence = s;
      layout.all().forEach(g -> g.cells().remove(sequence, last + 1, CellMap.END));
    }
  }

  /** Records the state after a step. */
  void record(ModelTracer tracer, int accessed) {
    steps.record(tracer, accessed);
  }

  /**
   * Reads what the caches hold: statistics of each layer's keys and values over the cells in use,
   * and cells with values that are NaN or infinite.
   *
   * <p>Keys whose positions were moved are as they were before the move until the next pass.
   */
  public CacheStatistics statistics() {
    return model.runtime().call(contents::read);
  }

  /** The caches: one, or one more for layers with a sliding window. */
  public List<KvCacheTrace> caches() {
    return layout.all().stream().map(CacheGroup::trace).toList();
  }

  /** Cells of the largest cache that hold a token. */
  public int cellsUsed() {
    CacheGroup largest = layout.largest();
    return largest == null ? 0 : largest.cells().used();
  }

  /** Cells of the largest cache. */
  public int capacity() {
    CacheGroup largest = layout.largest();
    return largest == null ? 0 : largest.cells().cells();
  }
}
