package org.modeltracer.model;

import java.lang.foreign.MemorySegment;

/**
 * Statistics of a tensor's values; the moments are those of the finite part.
 *
 * @param count number of values
 * @param nan number of NaN values
 * @param inf number of infinite values
 * @param zero number of values that are exactly zero
 * @param min smallest finite value, NaN when no value is finite
 * @param max largest finite value, NaN when no value is finite
 * @param mean mean of the finite values, NaN when no value is finite
 * @param std population standard deviation of the finite values, NaN when no value is finite
 * @param l2 Euclidean norm of the finite values
 */
public record TensorStats(
    long count,
    long nan,
    long inf,
    long zero,
    double min,
    double max,
    double mean,
    double std,
    double l2) {
  /** Statistics of a whole float32 array. */
  public static TensorStats of(float[] values) {
    var stats = new RunningStats();
    stats.add(MemorySegment.ofArray(values), 0, values.length);
    return stats.snapshot();
  }

  /** Whether any value is NaN or infinite. */
  public boolean bad() {
    return nan + inf > 0;
  }
}
