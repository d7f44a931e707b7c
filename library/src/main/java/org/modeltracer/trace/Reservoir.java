package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** A uniform sample of a stream of unknown length (Vitter 1985, algorithm R), seeded. */
final class Reservoir<T> {
  private final int capacity;
  private final List<T> kept = new ArrayList<>();
  private final Random random;
  private long seen;
  private int slot;

  Reservoir(int capacity, long seed) {
    this.capacity = capacity;
    random = new Random(seed);
  }

  /** Counts one more; whether it belongs to the sample, and {@link #keep} should follow. */
  boolean admits() {
    seen++;
    if (kept.size() < capacity) {
      slot = kept.size();
      return true;
    }
    long draw = random.nextLong(seen);
    slot = (int) Math.min(draw, capacity);
    return draw < capacity;
  }

  /** Keeps the one that was just admitted. */
  void keep(T value) {
    if (slot == kept.size()) {
      kept.add(value);
    } else {
      kept.set(slot, value);
    }
  }

  List<T> kept() {
    return List.copyOf(kept);
  }
}
