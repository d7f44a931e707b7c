package org.modeltracer.attention;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.modeltracer.kernels.Kernels;

/**
 * Attention of one layer averaged over its heads as they stream: the Ā of Abnar and Zuidema.
 *
 * <p>Rows are those of one forward pass, queries {@code first} to {@code first + size - 1}; row i
 * holds keys 0 to {@code first + i}, or to the last one in sight where that lies ahead. On request
 * it also notes which head puts most weight on each pair.
 */
final class HeadMean {
  private boolean strongest;
  private float[][] sums = {};
  private float[][] largest = {};
  private short[][] leaders = {};
  private int[] heads = {};
  private int[] keys = {};
  private int most;
  private int last;
  int layer = -1;
  int first = -1;
  int size;

  void start(int newLayer, int firstQuery, boolean withStrongest) {
    layer = newLayer;
    strongest = withStrongest;
    first = firstQuery;
    size = 0;
    most = 0;
    last = -1;
  }

  void add(RowMeasure row) {
    int i = row.query - first;
    while (size <= i) {
      open(size, size == i ? row.last() + 1 : first + size + 1);
      size++;
    }
    last = Math.max(last, row.last());
    widen(i, row.last() + 1);
    heads[i]++;
    most = Math.max(most, heads[i]);
    keys[i] = Math.max(keys[i], row.size);
    float[] target = sums[i];
    Kernels kernels = Kernels.chosen();
    if (row.adjacent()) {
      kernels.add(row.weights, 0, row.size, target, row.key(0));
    } else {
      for (int k = 0; k < row.size; k++) {
        target[row.key(k)] += row.weights[k];
      }
    }
    if (strongest && row.adjacent()) {
      kernels.lead(row.weights, row.size, largest[i], leaders[i], row.key(0), (short) row.head);
    } else if (strongest) {
      lead(row, largest[i], leaders[i]);
    }
  }

  private static void lead(RowMeasure row, float[] best, short[] leader) {
    for (int k = 0; k < row.size; k++) {
      int key = row.key(k);
      if (row.weights[k] > best[key]) {
        best[key] = row.weights[k];
        leader[key] = (short) row.head;
      }
    }
  }

  private void open(int i, int length) {
    if (i >= sums.length) {
      int room = Math.max(16, i + i / 2);
      sums = Arrays.copyOf(sums, room);
      heads = Arrays.copyOf(heads, room);
      keys = Arrays.copyOf(keys, room);
      largest = Arrays.copyOf(largest, room);
      leaders = Arrays.copyOf(leaders, room);
    }
    heads[i] = 0;
    keys[i] = 0;
    sums[i] = cleared(sums[i], length);
    if (strongest) {
      largest[i] = cleared(largest[i], length);
      leaders[i] = new short[length];
    }
  }

  private void widen(int i, int length) {
    if (sums[i].length < length) {
      sums[i] = Arrays.copyOf(sums[i], length);
      if (strongest) {
        largest[i] = Arrays.copyOf(largest[i], length);
        leaders[i] = Arrays.copyOf(leaders[i], length);
      }
    }
  }

  private static float[] cleared(float @Nullable [] row, int length) {
    if (row != null && row.length == length) {
      Arrays.fill(row, 0);
      return row;
    }
    return new float[length];
  }

  /** Turns the sums into means; call once, when the layer is complete. */
  void finish() {
    for (int i = 0; i < size; i++) {
      if (heads[i] > 1) {
        float scale = 1f / heads[i];
        for (int k = 0; k < sums[i].length; k++) {
          sums[i][k] *= scale;
        }
      }
    }
  }

  /** Whether any head showed the row of the i-th query. */
  boolean known(int i) {
    return heads[i] > 0;
  }

  /** Whether some heads that showed other rows did not show that of the i-th query. */
  boolean lacksHeads(int i) {
    return heads[i] > 0 && heads[i] < most;
  }

  /** Whether a query saw a key ahead of it. */
  boolean looksAhead() {
    for (int i = 0; i < size; i++) {
      if (sums[i].length > first + i + 1) {
        return true;
      }
    }
    return false;
  }

  /** Number of positions from the first query to the last query or key. */
  int positions() {
    return Math.max(size, last - first + 1);
  }

  /** Number of keys that the i-th query sees, in the head that sees most. */
  int keys(int i) {
    return keys[i];
  }

  /** Mean weights of the i-th query, on keys from 0. */
  float[] row(int i) {
    return sums[i];
  }

  /** Head with the largest weight on each key of the i-th query. */
  short[] leaders(int i) {
    return leaders[i];
  }

  /** Gives the matrices back. */
  void release() {
    sums = new float[0][];
    largest = new float[0][];
    leaders = new short[0][];
    heads = new int[0];
    keys = new int[0];
    size = 0;
  }
}
