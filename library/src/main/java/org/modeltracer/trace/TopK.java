package org.modeltracer.trace;

/** The k largest of a stream of numbers and where they came from, largest first. */
public final class TopK {
  private final double[] values;
  private final int[] indices;
  private int size;

  /** Room for {@code k} numbers. */
  public TopK(int k) {
    values = new double[k];
    indices = new int[k];
  }

  /** Forgets all numbers. */
  public void clear() {
    size = 0;
  }

  /** Takes a number; among equal ones the earlier wins. */
  public void offer(int index, double value) {
    if (size == values.length && value <= values[size - 1]) {
      return;
    }
    int i = size < values.length ? size++ : size - 1;
    while (i > 0 && values[i - 1] < value) {
      values[i] = values[i - 1];
      indices[i] = indices[i - 1];
      i--;
    }
    values[i] = value;
    indices[i] = index;
  }

  /** How many numbers are held, {@code k} at most. */
  public int size() {
    return size;
  }

  /** Where the i-th largest came from. */
  public int index(int i) {
    return indices[i];
  }

  /** The i-th largest. */
  public double value(int i) {
    return values[i];
  }
}
