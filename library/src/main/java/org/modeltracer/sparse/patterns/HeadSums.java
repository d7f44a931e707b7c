package org.modeltracer.sparse.patterns;

import java.util.Arrays;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.kernels.RowSums;
import org.modeltracer.model.AttentionRow;

/** What is added up of one head's rows, none of which is kept. */
final class HeadSums {
  /** First positions, which often draw attention whatever they hold. */
  static final int FIRST = 4;

  /** Mass so small that nothing is said of its shape. */
  static final double NOTHING = 1e-6;

  final DistanceSums back;
  final DistanceSums ahead;
  final BlockSums blocks = new BlockSums();
  final double[] needed;
  long rows;
  long visible;
  double first;
  double firstEven;
  double rest;
  double spread;
  double distance;
  double distanceEven;
  private final RowSums sums = new RowSums();
  private float[] others = {};
  private double[] prefix = {};
  private boolean causal = true;

  /**
   * Sums of nothing.
   *
   * @param distances distances, at most, with sums of their own
   * @param masses of which the keys needed are counted
   */
  HeadSums(int distances, int masses) {
    back = new DistanceSums(distances);
    ahead = new DistanceSums(distances);
    needed = new double[masses];
    blocks.begin();
  }

  /** Whether no row saw a later key. */
  boolean causal() {
    return causal;
  }

  /**
   * Adds a row.
   *
   * @param weights its weights, whose sum is 1
   */
  void add(AttentionRow row, float[] weights) {
    int n = row.size();
    int q = row.query();
    int from = row.lower(FIRST);
    rows++;
    visible += n;
    causal &= row.causal();
    double onFirst = 0;
    for (int i = 0; i < from; i++) {
      onFirst += weights[i];
      int d = q - row.key(i);
      (d >= 0 ? back : ahead).first(Math.abs(d), weights[i]);
    }
    first += onFirst;
    firstEven += (double) from / n;
    double onRest = Math.max(0, 1 - onFirst);
    double even = from == n ? 0 : onRest / (n - from);
    for (int i = from; i < n; i++) {
      int d = q - row.key(i);
      (d >= 0 ? back : ahead).rest(Math.abs(d), weights[i], even, onRest);
      distance += (double) weights[i] * Math.abs(d);
      distanceEven += even * Math.abs(d);
    }
    rest += onRest;
    spread(weights, from, n, onRest);
    blocks(row, weights, from, onRest);
  }

  /** Adds e^H over the number of keys, of the row without its first keys. */
  private void spread(float[] weights, int from, int n, double onRest) {
    if (onRest < NOTHING || from == n) {
      return;
    }
    if (others.length < n) {
      others = new float[2 * n];
    }
    System.arraycopy(weights, from, others, 0, n - from);
    Kernels.chosen().row(others, n - from, sums);
    double entropy = Math.max(0, sums.entropy() / onRest + Math.log(onRest));
    spread += onRest * Math.min(1, Math.exp(entropy) / (n - from));
  }

  private void blocks(AttentionRow row, float[] weights, int from, double onRest) {
    int n = row.size();
    if (prefix.length <= n) {
      prefix = new double[2 * n + 1];
    }
    for (int i = 0; i < n; i++) {
      prefix[i + 1] = prefix[i] + weights[i];
    }
    for (int b = 0; b < BlockSums.SIZES.length; b++) {
      int size = BlockSums.SIZES[b];
      int start = row.query() - row.query() % size;
      int low = row.lower(start);
      int high = row.lower(start + size);
      int own = Math.max(low, Math.min(high, from));
      blocks.add(
          b,
          row.query(),
          prefix[high] - prefix[low],
          high - low,
          prefix[high] - prefix[own],
          onRest);
    }
  }

  /** Mass by distance either way. */
  double[] mass() {
    return both(back.rest, ahead.rest, back.first, ahead.first);
  }

  /** Mass by distance either way, without the first keys. */
  double[] restMass() {
    return both(back.rest, ahead.rest);
  }

  /** Keys seen by distance either way. */
  double[] keys() {
    return both(
        doubles(back.restKeys),
        doubles(ahead.restKeys),
        doubles(back.firstKeys),
        doubles(ahead.firstKeys));
  }

  /** Keys seen by distance either way, without the first. */
  double[] restKeys() {
    return both(doubles(back.restKeys), doubles(ahead.restKeys));
  }

  /** First keys seen. */
  double firstKeys() {
    return (double) Arrays.stream(back.firstKeys).asLongStream().sum()
        + Arrays.stream(ahead.firstKeys).asLongStream().sum();
  }

  private static double[] doubles(int[] counts) {
    return Arrays.stream(counts).asDoubleStream().toArray();
  }

  private static double[] both(double[]... parts) {
    int size = Arrays.stream(parts).mapToInt(p -> p.length).max().orElse(0);
    double[] sum = new double[size];
    for (double[] part : parts) {
      for (int d = 0; d < part.length; d++) {
        sum[d] += part[d];
      }
    }
    return sum;
  }
}
