package org.modeltracer.sparse.patterns;

import org.modeltracer.attention.Measure;

/**
 * How much of a head's rows stays in the query's own block of a grid, for grids of several sizes.
 *
 * <p>A whole block, of which every row was seen, is one observation of the mass inside. Rows come
 * in ascending order of query.
 */
final class BlockSums {
  static final int[] SIZES = {8, 16, 32, 64, 128, 256, 512};

  private final double[] mass = new double[SIZES.length];
  private final long[] keys = new long[SIZES.length];
  private final double[] inside = new double[SIZES.length];
  private final double[] of = new double[SIZES.length];
  private final int[] next = new int[SIZES.length];
  private final long[] blocks = new long[SIZES.length];
  private final double[] sum = new double[SIZES.length];
  private final double[] squares = new double[SIZES.length];

  /** A text begins. */
  void begin() {
    for (int b = 0; b < SIZES.length; b++) {
      next[b] = -1;
    }
  }

  /**
   * Adds a row.
   *
   * @param all mass in the query's own block of the b-th size, first keys included
   * @param seen keys there
   * @param own mass there without the first keys
   * @param ofRow mass of the whole row without them
   */
  void add(int b, int query, double all, int seen, double own, double ofRow) {
    mass[b] += all;
    keys[b] += seen;
    int size = SIZES[b];
    if (query % size == 0) {
      inside[b] = 0;
      of[b] = 0;
      next[b] = query;
    }
    if (next[b] != query) {
      next[b] = -1;
      return;
    }
    inside[b] += own;
    of[b] += ofRow;
    next[b]++;
    if (next[b] % size == 0) {
      next[b] = -1;
      if (of[b] > HeadSums.NOTHING * size) {
        double share = inside[b] / of[b];
        blocks[b]++;
        sum[b] += share;
        squares[b] += share * share;
      }
    }
  }

  /** Mass in the query's own block, all rows together. */
  double mass(int b) {
    return mass[b];
  }

  /** Keys there, all rows together. */
  double keys(int b) {
    return keys[b];
  }

  /** Whole blocks. */
  long blocks(int b) {
    return blocks[b];
  }

  /** Share of mass inside, over whole blocks. */
  Measure share(int b) {
    return Measure.of(blocks[b], sum[b], squares[b]);
  }
}
