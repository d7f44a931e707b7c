package org.modeltracer.quant;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The error of one node, summed over rows, dimension by dimension, in memory that does not grow.
 *
 * <p>A dimension is massive once a value of the reference in it is larger than 100 and at least
 * 1000 times the median magnitude of its row (Sun et al. 2024, "Massive Activations in Large
 * Language Models"). Sums are kept by dimension because that shows only as rows go by.
 */
final class ErrorSums {
  private static final float MASSIVE = 100;
  private static final float MASSIVE_RATIO = 1000;

  /** Bits of an infinity without its sign; those of NaN are larger. */
  private static final int INFINITE = Float.floatToRawIntBits(Float.POSITIVE_INFINITY);

  private final boolean unknowns;
  private double[] error2;
  private double[] reference2;
  private double[] other2;
  private double[] product;
  private float[] maxAbs;
  private final BitSet massive = new BitSet();
  private float[] sorted = {};
  private double rowError;
  private double rowReference;
  private float largest;
  private long rows;
  private long count;
  private long seen;
  private long broken;
  private long referenceBroken;

  /**
   * Sums for rows of so many dimensions.
   *
   * @param dimensions 1 to sum over all values of a row, whatever its width
   * @param unknowns whether NaN in the reference is a value that is not known, as in attention
   */
  ErrorSums(int dimensions, boolean unknowns) {
    this.unknowns = unknowns;
    error2 = new double[dimensions];
    reference2 = new double[dimensions];
    other2 = new double[dimensions];
    product = new double[dimensions];
    maxAbs = new float[dimensions];
  }

  /**
   * Adds a row.
   *
   * @return its ‖error‖ / ‖reference‖, NaN when one is not finite; both may be the same infinity
   */
  double add(float[] reference, float[] other, int width) {
    if (error2.length > 1 && width > error2.length) {
      widen(width);
    }
    rows++;
    rowError = rowReference = 0;
    largest = 0;
    boolean bad = false;
    if (error2.length == 1) {
      bad = whole(reference, other, width);
    } else if (finite(reference, width) && finite(other, width)) {
      dimensions(reference, other, width);
    } else {
      for (int i = 0; i < width; i++) {
        bad |= one(i, reference[i], other[i]);
      }
    }
    if (largest > MASSIVE && error2.length > 1) {
      findMassive(reference, width);
    }
    return bad ? Double.NaN : rowError == 0 ? 0 : Math.sqrt(rowError / rowReference);
  }

  /** Rows of scores by key are longer the more keys there are. */
  private void widen(int dimensions) {
    error2 = Arrays.copyOf(error2, dimensions);
    reference2 = Arrays.copyOf(reference2, dimensions);
    other2 = Arrays.copyOf(other2, dimensions);
    product = Arrays.copyOf(product, dimensions);
    maxAbs = Arrays.copyOf(maxAbs, dimensions);
  }

  private static boolean finite(float[] values, int width) {
    int bits = 0;
    for (int i = 0; i < width; i++) {
      bits = Math.max(bits, Float.floatToRawIntBits(values[i]) & Integer.MAX_VALUE);
    }
    return bits < INFINITE;
  }

  /**
   * Adds a row of finite values, dimension by dimension: no branches, so that it is compiled to
   * vectors.
   */
  private void dimensions(float[] reference, float[] other, int width) {
    for (int i = 0; i < width; i++) {
      double r = reference[i];
      double o = other[i];
      double e = o - r;
      error2[i] += e * e;
      reference2[i] += r * r;
      other2[i] += o * o;
      product[i] += r * o;
    }
    float most = 0;
    double errors = 0;
    double references = 0;
    for (int i = 0; i < width; i++) {
      float r = reference[i];
      double e = (double) other[i] - r;
      maxAbs[i] = Math.max(maxAbs[i], (float) Math.abs(e));
      most = Math.max(most, Math.abs(r));
      errors += e * e;
      references += (double) r * r;
    }
    largest = most;
    rowError = errors;
    rowReference = references;
    seen += width;
    count += width;
  }

  /**
   * Adds a row to the sums over all values; what is 0 on both sides, as a mask makes it, counts
   * nowhere.
   */
  private boolean whole(float[] reference, float[] other, int width) {
    boolean bad = false;
    double e2 = 0;
    double r2 = 0;
    double o2 = 0;
    double ro = 0;
    float most = maxAbs[0];
    int counted = 0;
    for (int i = 0; i < width; i++) {
      double r = reference[i];
      double o = other[i];
      double e = o - r;
      if (e - e != 0) {
        bad |= broken(reference[i], other[i]);
        continue;
      }
      seen++;
      if (r == 0 && o == 0) {
        continue;
      }
      counted++;
      e2 += e * e;
      r2 += r * r;
      o2 += o * o;
      ro += r * o;
      most = Math.max(most, (float) Math.abs(e));
    }
    error2[0] += e2;
    reference2[0] += r2;
    other2[0] += o2;
    product[0] += ro;
    maxAbs[0] = most;
    count += counted;
    rowError = e2;
    rowReference = r2;
    return bad;
  }

  /**
   * Adds a value of a row that has some that are not finite; returns whether this is one that
   * counts.
   */
  private boolean one(int d, float reference, float other) {
    double r = reference;
    double o = other;
    double e = o - r;
    if (e - e != 0) {
      return broken(reference, other);
    }
    seen++;
    count++;
    error2[d] += e * e;
    reference2[d] += r * r;
    other2[d] += o * o;
    product[d] += r * o;
    maxAbs[d] = Math.max(maxAbs[d], (float) Math.abs(e));
    largest = Math.max(largest, Math.abs(reference));
    rowError += e * e;
    rowReference += r * r;
    return false;
  }

  /** Counts a value that is not finite; false where it is none of an error. */
  private boolean broken(float reference, float other) {
    if (reference == other || unknowns && Float.isNaN(reference)) {
      return false;
    }
    if (Float.isFinite(reference)) {
      broken++;
    } else {
      referenceBroken++;
    }
    return true;
  }

  private void findMassive(float[] reference, int width) {
    if (sorted.length != width) {
      sorted = new float[width];
    }
    for (int i = 0; i < width; i++) {
      sorted[i] = Math.abs(reference[i]);
    }
    Arrays.sort(sorted);
    float median =
        width % 2 == 1 ? sorted[width / 2] : (sorted[width / 2 - 1] + sorted[width / 2]) / 2;
    for (int i = 0; i < width; i++) {
      float magnitude = Math.abs(reference[i]);
      if (magnitude > MASSIVE && magnitude >= MASSIVE_RATIO * median) {
        massive.set(i);
      }
    }
  }

  /** Number of rows. */
  long rows() {
    return rows;
  }

  /** Values that are not finite though the reference's are. */
  long broken() {
    return broken;
  }

  /** Values of the reference that are not finite, where the other's is not the same infinity. */
  long referenceBroken() {
    return referenceBroken;
  }

  /** Dimensions found to be massive, ascending. */
  List<Integer> massive() {
    return massive.stream().boxed().toList();
  }

  /** The error over all dimensions. */
  TensorError error() {
    return sum(new BitSet());
  }

  /** The error with massive dimensions left out; null where there are none. */
  @Nullable TensorError withoutMassive() {
    return massive.isEmpty() ? null : sum(massive);
  }

  private TensorError sum(BitSet left) {
    if (seen == 0) {
      return TensorError.NONE;
    }
    double e = 0;
    double r = 0;
    double o = 0;
    double p = 0;
    float m = 0;
    for (int d = left.nextClearBit(0); d < error2.length; d = left.nextClearBit(d + 1)) {
      e += error2[d];
      r += reference2[d];
      o += other2[d];
      p += product[d];
      m = Math.max(m, maxAbs[d]);
    }
    return TensorError.of(count - (double) rows * left.cardinality(), m, e, r, o, p);
  }
}
