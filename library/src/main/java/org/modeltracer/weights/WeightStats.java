package org.modeltracer.weights;

import java.util.List;

/**
 * What is in one weight tensor, decoded to float32.
 *
 * @param elements number of values
 * @param nan number of NaN values
 * @param inf number of infinite values
 * @param zero number of values that are exactly zero
 * @param absMax largest finite magnitude
 * @param firstBad index of the first NaN or infinite value in storage order, -1 when there is none
 * @param zeroRows number of rows (of dimension 0) that are all zero
 * @param firstZeroRow index of the first of them, -1 when there is none
 * @param zeroSlices slices along dimension 2, as experts have them, that are all zero
 */
public record WeightStats(
    long elements,
    long nan,
    long inf,
    long zero,
    float absMax,
    long firstBad,
    long zeroRows,
    long firstZeroRow,
    List<Integer> zeroSlices) {

  public long bad() {
    return nan + inf;
  }

  public boolean allZero() {
    return zero == elements;
  }

  /** {@code nan}, {@code inf}, {@code zero} or {@code finite}. */
  public String state() {
    if (nan > 0) {
      return "nan";
    }
    if (inf > 0) {
      return "inf";
    }
    return allZero() ? "zero" : "finite";
  }
}
