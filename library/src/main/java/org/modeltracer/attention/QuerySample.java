package org.modeltracer.attention;

import java.util.List;
import java.util.TreeMap;
import java.util.function.IntToLongFunction;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.SplitMix;

/**
 * A capped sample of queries with a vector from every head, for what compares heads.
 *
 * <p>Queries are taken in the order of a hash of (prompt, query), as many as fit the budget; what a
 * query costs depends on its position only. The first so many in hash order of a union are among
 * the first of each part (bottom-k sampling, Cohen and Kaplan 2007), so samples of two halves merge
 * into exactly the sample of the whole.
 */
final class QuerySample {
  private final int heads;
  private final long budget;
  private final IntToLongFunction cost;
  private final long seed;
  private final TreeMap<Long, SampledQuery> entries = new TreeMap<>();
  private long spent;
  private volatile long cutoff = Long.MAX_VALUE;

  QuerySample(int heads, long budget, IntToLongFunction cost, long seed) {
    this.heads = heads;
    this.budget = budget;
    this.cost = cost;
    this.seed = seed;
  }

  /** A sample of the same kind with nothing in it. */
  QuerySample empty() {
    return new QuerySample(heads, budget, cost, seed);
  }

  /**
   * The slots of a query, one per head, to be filled; null when the sample leaves the query out.
   * Two threads may ask at once.
   */
  float @Nullable [] @Nullable [] slots(long prompt, int query, int segmentStart) {
    long hash = hash(seed, prompt, query);
    return hash >= cutoff ? null : slots(hash, prompt, query, segmentStart);
  }

  private synchronized float @Nullable [] @Nullable [] slots(
      long hash, long prompt, int query, int segmentStart) {
    SampledQuery entry = entries.get(hash);
    if (entry == null) {
      entry = new SampledQuery(prompt, query, segmentStart, new float[heads][]);
      entries.put(hash, entry);
      spent += cost.applyAsLong(query);
      trim();
    }
    return hash >= cutoff ? null : entry.vectors();
  }

  private void trim() {
    while (spent > budget) {
      cut(entries.lastKey());
    }
  }

  private void cut(long from) {
    cutoff = Math.min(cutoff, from);
    var beyond = entries.tailMap(from, true);
    for (SampledQuery entry : beyond.values()) {
      spent -= cost.applyAsLong(entry.position());
    }
    beyond.clear();
  }

  void merge(QuerySample other) {
    other.entries.forEach(
        (hash, entry) -> {
          if (entries.putIfAbsent(hash, entry) == null) {
            spent += cost.applyAsLong(entry.position());
          }
        });
    cut(Math.min(cutoff, other.cutoff));
    trim();
  }

  /** Sampled queries in hash order, as they are now. */
  List<SampledQuery> collected() {
    return entries.values().stream()
        .map(
            entry ->
                new SampledQuery(
                    entry.prompt(),
                    entry.position(),
                    entry.segmentStart(),
                    entry.vectors().clone()))
        .toList();
  }

  /** A well-mixed 63-bit hash of (seed, prompt, position): mixed twice. */
  static long hash(long seed, long prompt, long position) {
    return SplitMix.mix(SplitMix.mix(seed ^ prompt) + position) >>> 1;
  }
}
