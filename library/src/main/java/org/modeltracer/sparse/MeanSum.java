package org.modeltracer.sparse;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A mean in the making; numbers that are not finite are left out. */
final class MeanSum {
  private double sum;
  private double squares;
  private long count;
  private double min = Double.POSITIVE_INFINITY;

  /** So many of them. */
  static MeanSum[] several(int n) {
    var sums = new MeanSum[n];
    Arrays.setAll(sums, i -> new MeanSum());
    return sums;
  }

  void add(double value) {
    if (Double.isFinite(value)) {
      sum += value;
      squares += value * value;
      count++;
      min = Math.min(min, value);
    }
  }

  void merge(MeanSum other) {
    sum += other.sum;
    squares += other.squares;
    count += other.count;
    min = Math.min(min, other.min);
  }

  long count() {
    return count;
  }

  /** The mean, null when nothing was added. */
  @Nullable Double mean() {
    return count == 0 ? null : sum / count;
  }

  /** The least, null when nothing was added. */
  @Nullable Double min() {
    return count == 0 ? null : min;
  }

  /** The mean, 0 when nothing was added. */
  double orZero() {
    return count == 0 ? 0 : sum / count;
  }

  /** The mean in units of its standard error; 0 when fewer than two were added. */
  double significance() {
    if (count < 2) {
      return 0;
    }
    double mean = sum / count;
    double variance = Math.max(0, squares / count - mean * mean) * count / (count - 1);
    return variance == 0
        ? mean == 0 ? 0 : Math.copySign(Double.MAX_VALUE, mean)
        : mean / Math.sqrt(variance / count);
  }
}
