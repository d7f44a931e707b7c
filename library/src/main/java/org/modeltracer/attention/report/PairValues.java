package org.modeltracer.attention.report;

/** A number for each pair of n different items, in either order: n·(n − 1)/2 floats. */
public final class PairValues {
  private final int items;
  private final float[] values;

  private PairValues(int items, float[] values) {
    this.items = items;
    this.values = values;
  }

  /**
   * Zero for each pair.
   *
   * @param items at most 65,535, which is as many as an array of their pairs holds
   */
  public PairValues(int items) {
    this(items, new float[Math.toIntExact(pairs(items))]);
  }

  /** Pairs of so many items. */
  static long pairs(long items) {
    return items * (items - 1) / 2;
  }

  /** The items. */
  public int items() {
    return items;
  }

  /** The number of a pair; of an item with itself there is none. */
  public float get(int a, int b) {
    return values[index(a, b)];
  }

  /** Sets the number of a pair. */
  public void set(int a, int b, double value) {
    values[index(a, b)] = (float) value;
  }

  void add(int a, int b, double value) {
    values[index(a, b)] += (float) value;
  }

  PairValues copy() {
    return new PairValues(items, values.clone());
  }

  /** The pairs of these items alone, renumbered in their order, which ascends. */
  PairValues only(int[] kept) {
    if (kept.length == items) {
      return this;
    }
    var fewer = new PairValues(kept.length);
    for (int a = 0; a < kept.length; a++) {
      for (int b = 0; b < a; b++) {
        fewer.set(a, b, get(kept[a], kept[b]));
      }
    }
    return fewer;
  }

  private static int index(int a, int b) {
    return a > b ? (int) pairs(a) + b : (int) pairs(b) + a;
  }
}
