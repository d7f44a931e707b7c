package org.modeltracer.graph;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Values by number; looking one up allocates nothing. */
public final class LongTable<V> {
  private static final int FIRST_SIZE = 64;

  private long[] keys = new long[FIRST_SIZE];
  private Object[] slots = new Object[FIRST_SIZE];
  private final List<V> values = new ArrayList<>();

  /** The value of a number, or null. */
  @SuppressWarnings("unchecked") // slots hold what put was given
  public @Nullable V get(long key) {
    return (V) slots[slot(key)];
  }

  /** Enters a number that has no value yet. */
  public void put(long key, V value) {
    int slot = slot(key);
    if (slots[slot] != null) {
      throw new IllegalStateException("entered twice: " + key);
    }
    keys[slot] = key;
    slots[slot] = value;
    values.add(value);
    if (2 * values.size() > keys.length) {
      grow();
    }
  }

  private void grow() {
    long[] oldKeys = keys;
    Object[] oldSlots = slots;
    keys = new long[2 * oldKeys.length];
    slots = new Object[2 * oldKeys.length];
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldSlots[i] != null) {
        int slot = slot(oldKeys[i]);
        keys[slot] = oldKeys[i];
        slots[slot] = oldSlots[i];
      }
    }
  }

  private int slot(long key) {
    long mixed = key * 0x9E3779B97F4A7C15L;
    int mask = keys.length - 1;
    int slot = (int) (mixed >>> 32) & mask;
    while (slots[slot] != null && keys[slot] != key) {
      slot = slot + 1 & mask;
    }
    return slot;
  }

  /** All values, in the order they were entered. */
  public List<V> values() {
    return values;
  }

  void clear() {
    keys = new long[FIRST_SIZE];
    slots = new Object[FIRST_SIZE];
    values.clear();
  }
}
