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

  private final boolean unknowns;
  private final double[] error2;
  private final double[] reference2;
  private final double[] other2;
  private final double[] product;
  private final float[] maxAbs;
  private final BitSet massive = new BitSet();
  private float[] sorted = {};
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
    boolean whole = error2.length == 1;
    double rowError = 0;
    double rowReference = 0;
    float largest = 0;
    boolean bad = false;
    for (int i = 0; i < width; i++) {
      float r = reference[i];
      float o = other[i];
      if (!Float.isFinite(r) || !Float.isFinite(o)) {
        if (r == o || unknowns && Float.isNaN(r)) {
          continue;
        }
        if (Float.isFinite(r)) {
          broken++;
        } else {
          referenceBroken++;
        }
        bad = true;
        continue;
      }
      seen++;
      if (whole && r == 0 && o == 0) {
        continue;
      }
      int d = whole ? 0 : i;
      double e = (double) o - r;
      error2[d] += e * e;
      reference2[d] += (double) r * r;
      other2[d] += (double) o * o;
      product[d] += (double) r * o;
      maxAbs[d] = Math.max(maxAbs[d], (float) Math.abs(e));
      largest = Math.max(largest, Math.abs(r));
      rowError += e * e;
      rowReference += (double) r * r;
      count++;
    }
    rows++;
    if (largest > MASSIVE && !whole) {
      findMassive(reference, width);
    }
    return bad ? Double.NaN : rowError == 0 ? 0 : Math.sqrt(rowError / rowReference);
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
