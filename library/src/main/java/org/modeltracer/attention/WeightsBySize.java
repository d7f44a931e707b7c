package org.modeltracer.attention;

import org.modeltracer.kernels.Kernels;

/**
 * The weights of one row by size, in bins of a sixteenth of an octave down to 2^−31.
 *
 * <p>Spares a sort: the bin is found by bisection, each step of which sums the weights above a
 * limit. Only the order inside that bin is unknown, so that the number of keys for a mass is exact
 * but for weights that differ by less than 6 %.
 */
final class WeightsBySize {
  private static final int BIN_SHIFT = 19;
  private static final int LOWEST = (127 - 31) << (23 - BIN_SHIFT);

  private Kernels kernels = Kernels.chosen();
  private float[] weights = {};
  private int n;
  private int top;
  private int lastOfMass;
  private int lastOfCount;

  /** Reads a row in place of the one before; weights that are negative are left out. */
  void read(float[] row, int size, float max) {
    kernels = Kernels.chosen();
    weights = row;
    n = size;
    top = Math.max(0, (Float.floatToRawIntBits(max) >>> BIN_SHIFT) - LOWEST) + 1;
  }

  /** Smallest number of weights that reach a sum together, NaN when all do not. */
  double needed(double enough) {
    int bin = lowest(enough, lastOfMass, false);
    if (bin < 0) {
      return Double.NaN;
    }
    lastOfMass = bin;
    int taken = count(bin + 1);
    double held = mass(bin + 1);
    int here = count(bin) - taken;
    double mean = (mass(bin) - held) / here;
    return taken + (mean > 0 ? Math.min(here, Math.ceil((enough - held) / mean - 1e-6)) : here);
  }

  /** Sum of the {@code most} largest weights. */
  double largest(int most) {
    int bin = lowest(most, lastOfCount, true);
    if (bin < 0) {
      return mass(0);
    }
    lastOfCount = bin;
    int taken = count(bin + 1);
    double held = mass(bin + 1);
    int here = count(bin) - taken;
    return held + (most - taken) * ((mass(bin) - held) / here);
  }

  /**
   * The highest bin such that it and those above reach a target, -1 where all do not.
   *
   * @param near where to look first: rows of a head are alike
   */
  private int lowest(double target, int near, boolean counted) {
    int low = Math.min(near, top - 1);
    int high = top;
    int step = 1;
    if (reached(low, counted) >= target) {
      while (low + step < top && reached(low + step, counted) >= target) {
        low += step;
        step *= 2;
      }
      high = Math.min(top, low + step);
    } else {
      do {
        if (low == 0) {
          return -1;
        }
        high = low;
        low = Math.max(0, low - step);
        step *= 2;
      } while (reached(low, counted) < target);
    }
    while (high - low > 1) {
      int middle = (low + high) >>> 1;
      if (reached(middle, counted) >= target) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }

  private double reached(int bin, boolean counted) {
    return counted ? count(bin) : mass(bin);
  }

  private double mass(int bin) {
    return kernels.mass(weights, n, least(bin));
  }

  private int count(int bin) {
    return n - kernels.below(weights, n, least(bin));
  }

  /** Smallest weight of a bin; the lowest takes all that is smaller. */
  private static float least(int bin) {
    return bin == 0 ? 0 : Float.intBitsToFloat((bin + LOWEST) << BIN_SHIFT);
  }
}
