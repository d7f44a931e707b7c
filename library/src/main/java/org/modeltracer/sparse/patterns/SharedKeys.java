package org.modeltracer.sparse.patterns;

import java.util.Arrays;

/**
 * Keys that the query heads of one KV head need together, query by query: those that any of them
 * needs, since only what all do without need not be read.
 *
 * <p>Rows of a query come head by head, so that one query is all there is to remember.
 */
final class SharedKeys {
  private final boolean[][] wanted;
  private final double[] needed;
  private int query = -1;
  private int size;
  private long visible;

  SharedKeys(int masses) {
    wanted = new boolean[masses][0];
    needed = new double[masses];
  }

  /** A query's row begins, of one head or another. */
  void begin(int query, int n) {
    if (query != this.query) {
      finish();
      this.query = query;
      visible += n;
    }
    size = Math.max(size, n);
    for (int m = 0; m < wanted.length; m++) {
      if (wanted[m].length < n) {
        wanted[m] = Arrays.copyOf(wanted[m], 2 * n);
      }
    }
  }

  /** Wants the i-th key of the row for the m-th mass. */
  void want(int m, int i) {
    wanted[m][i] = true;
  }

  /** Counts what the latest query wanted. */
  void finish() {
    for (int m = 0; m < wanted.length; m++) {
      for (int i = 0; i < size; i++) {
        needed[m] += wanted[m][i] ? 1 : 0;
      }
      Arrays.fill(wanted[m], 0, size, false);
    }
    query = -1;
    size = 0;
  }

  /** Keys that some head needs for the m-th mass, all queries together. */
  double needed(int m) {
    return needed[m];
  }

  /** Keys in sight, all queries together. */
  long visible() {
    return visible;
  }
}
