package org.modeltracer.attention;

import java.util.Arrays;

/**
 * The weights of one row by size, in bins of a sixteenth of an octave down to 2^−31.
 *
 * <p>Spares a sort: only the order inside one bin is unknown, so that the number of keys for a mass
 * is exact but for weights that differ by less than 6 %.
 */
final class WeightHistogram {
  private static final int BIN_SHIFT = 19;
  private static final int LOWEST = (127 - 31) << (23 - BIN_SHIFT);
  private static final int BINS = (0x3f800000 >>> BIN_SHIFT) - LOWEST + 17;

  private final int[] count = new int[BINS];
  private final double[] mass = new double[BINS];

  void clear() {
    Arrays.fill(count, 0);
    Arrays.fill(mass, 0);
  }

  /** Counts a weight; one that is negative or not a number is left out. */
  void add(float weight) {
    if (weight >= 0) {
      int bits = Float.floatToRawIntBits(weight) >>> BIN_SHIFT;
      int bin = Math.clamp(bits - LOWEST, 0, BINS - 1);
      count[bin]++;
      mass[bin] += weight;
    }
  }

  /** Smallest number of weights that reach a sum together, NaN when all do not. */
  double needed(double enough) {
    double held = 0;
    int taken = 0;
    for (int b = BINS - 1; b >= 0; b--) {
      int n = count[b];
      if (n > 0 && held + mass[b] >= enough) {
        double mean = mass[b] / n;
        return taken + (mean > 0 ? Math.ceil((enough - held) / mean - 1e-9) : n);
      }
      held += mass[b];
      taken += n;
    }
    return Double.NaN;
  }

  /** Sum of the n largest weights. */
  double largest(int n) {
    double sum = 0;
    int left = n;
    for (int b = BINS - 1; b >= 0 && left > 0; b--) {
      if (count[b] > 0) {
        int taken = Math.min(left, count[b]);
        sum += taken * (mass[b] / count[b]);
        left -= taken;
      }
    }
    return sum;
  }
}
