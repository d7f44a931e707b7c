package org.modeltracer.weights;

import java.util.List;
import org.modeltracer.model.TensorState;

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

  /** What they are, in one word. */
  public TensorState state() {
    if (bad() > 0) {
      return nan > 0 ? TensorState.NAN : TensorState.INF;
    }
    return allZero() ? TensorState.ZERO : TensorState.FINITE;
  }
}
