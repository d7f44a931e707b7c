package org.modeltracer.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.kernels.Moments;

/**
 * Statistics of float32 values in one pass, reused without allocating.
 *
 * <p>Moments cover finite values only. They are merged block by block (Chan, Golub and LeVeque
 * 1983) in double precision, each about a number in its midst, so that data far from zero ({@code
 * 1e9 + i}) keeps its variance.
 */
public final class RunningStats {
  /** Values of a block whose mean its sums are taken about. */
  private static final int CENTER = 32;

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Moments block = new Moments();
  private long count;
  private long nan;
  private long inf;
  private long zero;
  private long finite;
  private long firstBad;
  private double min;
  private double max;
  private double mean;
  private double m2;
  private double sumOfSquares;

  /** An empty set of values. */
  public RunningStats() {
    reset();
  }

  /** Forgets everything. */
  public void reset() {
    count = nan = inf = zero = finite = 0;
    firstBad = -1;
    min = Double.POSITIVE_INFINITY;
    max = Double.NEGATIVE_INFINITY;
    mean = m2 = sumOfSquares = 0;
  }

  /**
   * What was computed elsewhere, by the same sums.
   *
   * @param count number of values
   * @param nan number of NaN values
   * @param inf number of infinite values
   * @param zero number of values that are exactly zero
   * @param firstBad index of the first NaN or infinite value, -1 for none
   * @param min smallest finite value
   * @param max largest finite value
   * @param mean mean of the finite values
   * @param m2 sum of their squared distances from the mean
   * @param sumOfSquares sum of their squares
   */
  public void restore(
      long count,
      long nan,
      long inf,
      long zero,
      long firstBad,
      double min,
      double max,
      double mean,
      double m2,
      double sumOfSquares) {
    if (count < 0 || nan < 0 || inf < 0 || nan > count || inf > count - nan || zero > count) {
      throw new IllegalArgumentException("counts that cannot be: " + count + " values");
    }
    this.count = count;
    this.nan = nan;
    this.inf = inf;
    this.zero = Math.max(0, zero);
    this.firstBad = nan + inf > 0 && firstBad >= 0 && firstBad < count ? firstBad : -1;
    finite = count - nan - inf;
    this.min = min;
    this.max = max;
    this.mean = mean;
    this.m2 = m2;
    this.sumOfSquares = sumOfSquares;
  }

  /** Adds {@code n} float32 values that lie at byte {@code offset} of {@code values}. */
  public void add(MemorySegment values, long offset, long n) {
    Kernels kernels = Kernels.chosen();
    for (long start = 0; start < n; start += Moments.BLOCK) {
      long from = offset + 4 * start;
      int size = (int) Math.min(Moments.BLOCK, n - start);
      float center = center(values, from, size);
      if (kernels.moments(values, from, size, center, block)) {
        count += size;
        zero += block.zeros();
        min = Math.min(min, block.min());
        max = Math.max(max, block.max());
        double shift = block.sum() / size;
        mergeMoments(
            size, center + shift, Math.max(0, block.squares() - block.sum() * shift), block.raw());
      } else {
        withBad(values, from, size);
      }
    }
  }

  /**
   * The mean of some values of a block. Of several, since sums about a single one that is far from
   * all others would lose what the others say.
   */
  private static float center(MemorySegment values, long offset, int n) {
    int step = Math.max(1, n / CENTER);
    float sum = 0;
    int taken = 0;
    for (int i = 0; i < n; i += step) {
      sum += values.get(FLOAT, offset + 4L * i);
      taken++;
    }
    float mean = sum / taken;
    return mean - mean == 0 ? mean : 0;
  }

  /** Adds a block that has values which are not finite. */
  private void withBad(MemorySegment values, long offset, int n) {
    double sum = 0;
    int good = 0;
    countBad(values, offset, n);
    count += n;
    for (int i = 0; i < n; i++) {
      float x = values.get(FLOAT, offset + 4L * i);
      if (x - x == 0f) {
        sum += x;
        good++;
        min = Math.min(min, x);
        max = Math.max(max, x);
        zero += x == 0f ? 1 : 0;
      }
    }
    double center = good == 0 ? 0 : sum / good;
    double spread = 0;
    double squares = 0;
    for (int i = 0; i < n; i++) {
      float x = values.get(FLOAT, offset + 4L * i);
      if (x - x == 0f) {
        double d = x - center;
        spread += d * d;
        squares += (double) x * x;
      }
    }
    if (good > 0) {
      mergeMoments(good, center, spread, squares);
    }
  }

  private void countBad(MemorySegment values, long offset, int n) {
    for (int i = 0; i < n; i++) {
      float x = values.get(FLOAT, offset + 4L * i);
      if (x - x != 0f) {
        if (firstBad < 0) firstBad = count + i;
        if (Float.isNaN(x)) nan++;
        else inf++;
      }
    }
  }

  private void mergeMoments(long n, double otherMean, double otherM2, double squares) {
    long total = finite + n;
    double delta = otherMean - mean;
    mean += delta * n / total;
    m2 += otherM2 + delta * delta * ((double) finite * n / total);
    finite = total;
    sumOfSquares += squares;
  }

  /** Adds all values of another set; its values count as coming after this set's own. */
  public void merge(RunningStats other) {
    if (firstBad < 0 && other.firstBad >= 0) {
      firstBad = count + other.firstBad;
    }
    count += other.count;
    nan += other.nan;
    inf += other.inf;
    zero += other.zero;
    min = Math.min(min, other.min);
    max = Math.max(max, other.max);
    if (other.finite > 0) {
      mergeMoments(other.finite, other.mean, other.m2, other.sumOfSquares);
    }
  }

  /** Number of values, finite or not. */
  public long count() {
    return count;
  }

  /** Number of NaN values. */
  public long nan() {
    return nan;
  }

  /** Number of infinite values. */
  public long inf() {
    return inf;
  }

  /** Number of values that are exactly zero. */
  public long zero() {
    return zero;
  }

  /** Whether any value is NaN or infinite. */
  public boolean bad() {
    return nan + inf > 0;
  }

  /** Index, in order of arrival, of the first NaN or infinite value, or -1. */
  public long firstBad() {
    return firstBad;
  }

  /** Largest magnitude of a finite value, 0 when there is none. */
  public double absMax() {
    return finite == 0 ? 0 : Math.max(Math.abs(min), Math.abs(max));
  }

  /** Standard deviation (population) of the finite values, 0 when there is none. */
  public double std() {
    return finite == 0 ? 0 : Math.sqrt(m2 / finite);
  }

  /** Euclidean norm of the finite values. */
  public double l2() {
    return Math.sqrt(sumOfSquares);
  }

  /** A copy that keeps. */
  public TensorStats snapshot() {
    return finite == 0
        ? new TensorStats(count, nan, inf, zero, Double.NaN, Double.NaN, Double.NaN, Double.NaN, 0)
        : new TensorStats(count, nan, inf, zero, min, max, mean, std(), l2());
  }
}
