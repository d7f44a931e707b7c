package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.modeltracer.model.SplitMix;

/**
 * A uniform sample of a stream of unknown length: of those whose seeded hashes are smallest
 * (bottom-k sampling, Cohen and Kaplan 2007). Samples of parts merge into the sample of the whole.
 */
final class BottomSample<T> {
  private final int capacity;
  private final long seed;
  private final TreeMap<Long, T> kept = new TreeMap<>();
  private long cutoff = Long.MAX_VALUE;
  private long admitted;

  BottomSample(int capacity, long seed) {
    this.capacity = capacity;
    this.seed = SplitMix.mix(seed);
  }

  /**
   * Whether what has this number, its alone, is of the sample so far; {@link #keep} is to follow.
   */
  boolean admits(long number) {
    admitted = SplitMix.mix(seed ^ SplitMix.mix(number));
    return admitted < cutoff;
  }

  /** Keeps what was just admitted. */
  void keep(T value) {
    put(admitted, value);
  }

  private void put(long hash, T value) {
    kept.put(hash, value);
    if (kept.size() > capacity) {
      kept.pollLastEntry();
    }
    if (kept.size() == capacity) {
      cutoff = kept.lastKey();
    }
  }

  /** The sample of what this and another one of the same seed have seen. */
  BottomSample<T> with(BottomSample<T> other) {
    var both = new BottomSample<T>(capacity, 0);
    kept.forEach(both::put);
    other.kept.forEach(both::put);
    return both;
  }

  List<T> kept() {
    return new ArrayList<>(kept.values());
  }
}
