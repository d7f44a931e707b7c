package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.AttentionRow;

/**
 * A capped sample of queries with the rows of all heads, for what compares heads.
 *
 * <p>Queries are taken in the order of a hash of (prompt, query), as many as fit the budget; a
 * query costs {@code 4 · heads · (query + 1)} bytes whatever its rows hold. The first so many in
 * hash order of a union are among the first of each part (bottom-k sampling, Cohen and Kaplan
 * 2007), so samples of two halves merge into exactly the sample of the whole.
 */
final class RowSample {
  private final int heads;
  private final long budget;
  private final long seed;
  private final TreeMap<Long, Entry> entries = new TreeMap<>();
  private long bytes;
  private long cutoff = Long.MAX_VALUE;

  /** Rows of one query by global head index; each {@code [query + 1]} over keys from 0. */
  record Entry(int query, float @Nullable [][] rows) {}

  RowSample(int heads, long budget, long seed) {
    this.heads = heads;
    this.budget = budget;
    this.seed = seed;
  }

  /** Offers the row of a head; kept when its query belongs to the sample. */
  void offer(long prompt, int head, RowMeasure row, AttentionRow window) {
    if (row.size < 2) {
      return;
    }
    long hash = hash(seed, prompt, row.query);
    if (hash >= cutoff) {
      return;
    }
    Entry entry = entries.get(hash);
    if (entry == null) {
      entry = new Entry(row.query, new float[heads][]);
      entries.put(hash, entry);
      bytes += cost(row.query);
      trim();
      if (hash >= cutoff) {
        return;
      }
    }
    float[] copy = new float[row.query + 1];
    for (int i = 0; i < row.size; i++) {
      copy[window.key(i)] = row.weights[i];
    }
    entry.rows[head] = copy;
  }

  private long cost(int query) {
    return 4L * heads * (query + 1);
  }

  private void trim() {
    while (bytes > budget && !entries.isEmpty()) {
      var last = entries.pollLastEntry();
      cutoff = last.getKey();
      bytes -= cost(last.getValue().query());
    }
  }

  void merge(RowSample other) {
    other.entries.forEach(
        (hash, entry) -> {
          if (entries.putIfAbsent(hash, entry) == null) {
            bytes += cost(entry.query());
          }
        });
    cutoff = Math.min(cutoff, other.cutoff);
    entries.tailMap(cutoff, true).values().forEach(entry -> bytes -= cost(entry.query()));
    entries.tailMap(cutoff, true).clear();
    trim();
  }

  /** Sampled queries in hash order. */
  List<Entry> entries() {
    return new ArrayList<>(entries.values());
  }

  /** A well-mixed 63-bit hash of (seed, prompt, position): SplitMix64's finalizer, twice. */
  static long hash(long seed, long prompt, long position) {
    return mix(mix(seed ^ prompt) + position) >>> 1;
  }

  private static long mix(long z) {
    z += 0x9e3779b97f4a7c15L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
