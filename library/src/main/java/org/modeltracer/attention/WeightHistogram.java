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

  /** Neighbours in a row count apart: weights that are alike would wait for each other. */
  private static final int APART = 4;

  private final int[] count = new int[APART * BINS];
  private final float[] mass = new float[APART * BINS];
  private int lowest;
  private int highest = -1;

  /** Reads a row in place of the one before; weights that are negative are left out. */
  void read(float[] weights, int n, float max) {
    Arrays.fill(count, APART * lowest, APART * (highest + 1), 0);
    Arrays.fill(mass, APART * lowest, APART * (highest + 1), 0);
    highest = bin(max);
    int low = highest;
    for (int i = 0; i < n; i++) {
      float weight = weights[i];
      if (weight >= 0) {
        int bin = bin(weight);
        low = Math.min(low, bin);
        int at = APART * bin + (i & APART - 1);
        count[at]++;
        mass[at] += weight;
      }
    }
    lowest = low;
  }

  private static int bin(float weight) {
    int bin = (Float.floatToRawIntBits(weight) >>> BIN_SHIFT) - LOWEST;
    return Math.min(Math.max(bin, 0), BINS - 1);
  }

  private int count(int bin) {
    int at = APART * bin;
    return count[at] + count[at + 1] + count[at + 2] + count[at + 3];
  }

  private double mass(int bin) {
    int at = APART * bin;
    return (double) mass[at] + mass[at + 1] + mass[at + 2] + mass[at + 3];
  }

  /** Smallest number of weights that reach a sum together, NaN when all do not. */
  double needed(double enough) {
    double held = 0;
    int taken = 0;
    for (int b = highest; b >= lowest; b--) {
      int n = count(b);
      double here = mass(b);
      if (n > 0 && held + here >= enough) {
        double mean = here / n;
        return taken + (mean > 0 ? Math.ceil((enough - held) / mean - 1e-6) : n);
      }
      held += here;
      taken += n;
    }
    return Double.NaN;
  }

  /** Sum of the n largest weights. */
  double largest(int n) {
    double sum = 0;
    int left = n;
    for (int b = highest; b >= lowest && left > 0; b--) {
      int here = count(b);
      if (here > 0) {
        int taken = Math.min(left, here);
        sum += taken * (mass(b) / here);
        left -= taken;
      }
    }
    return sum;
  }
}
