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
final class HeadMean implements MeanRows {
  private boolean strongest;
  private float[][] sums = {};
  private float[][] largest = {};
  private int[][] leaders = {};
  private int[] lengths = {};
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
      kernels.lead(row.weights, row.size, largest[i], leaders[i], row.key(0), row.head);
    } else if (strongest) {
      lead(row, largest[i], leaders[i]);
    }
  }

  private static void lead(RowMeasure row, float[] best, int[] leader) {
    for (int k = 0; k < row.size; k++) {
      int key = row.key(k);
      if (row.weights[k] > best[key]) {
        best[key] = row.weights[k];
        leader[key] = row.head;
      }
    }
  }

  private void open(int i, int length) {
    if (i >= sums.length) {
      int room = Math.max(16, i + i / 2);
      sums = Arrays.copyOf(sums, room);
      lengths = Arrays.copyOf(lengths, room);
      heads = Arrays.copyOf(heads, room);
      keys = Arrays.copyOf(keys, room);
      largest = Arrays.copyOf(largest, room);
      leaders = Arrays.copyOf(leaders, room);
    }
    heads[i] = 0;
    keys[i] = 0;
    lengths[i] = 0;
    widen(i, length);
  }

  private void widen(int i, int length) {
    int from = lengths[i];
    if (from >= length) {
      return;
    }
    if (sums[i] == null || sums[i].length < length) {
      sums[i] = widened(sums[i], length);
    }
    Arrays.fill(sums[i], from, length, 0);
    if (strongest) {
      if (largest[i] == null || largest[i].length < length) {
        largest[i] = widened(largest[i], length);
        leaders[i] =
            leaders[i] == null
                ? new int[largest[i].length]
                : Arrays.copyOf(leaders[i], largest[i].length);
      }
      Arrays.fill(largest[i], from, length, 0);
      Arrays.fill(leaders[i], from, length, 0);
    }
    lengths[i] = length;
  }

  /** With room for some more keys, as the next pass's rows are longer. */
  private static float[] widened(float @Nullable [] row, int length) {
    int room = length + 64;
    return row == null ? new float[room] : Arrays.copyOf(row, room);
  }

  /** Adds what another one has of the same pass and layer, of heads after these. */
  void add(HeadMean other) {
    Kernels kernels = Kernels.chosen();
    for (int i = 0; i < other.size; i++) {
      int own = other.first + i - first;
      while (size <= own) {
        open(size, first + size + 1);
        size++;
      }
      if (!other.known(i)) {
        continue;
      }
      int n = other.lengths[i];
      widen(own, n);
      kernels.add(other.sums[i], 0, n, sums[own], 0);
      heads[own] += other.heads[i];
      most = Math.max(most, heads[own]);
      keys[own] = Math.max(keys[own], other.keys[i]);
      if (strongest) {
        float[] best = largest[own];
        int[] leader = leaders[own];
        for (int k = 0; k < n; k++) {
          if (other.largest[i][k] > best[k]) {
            best[k] = other.largest[i][k];
            leader[k] = other.leaders[i][k];
          }
        }
      }
    }
    last = Math.max(last, other.last);
  }

  /** Turns the sums into means; call once, when the layer is complete. */
  void finish() {
    for (int i = 0; i < size; i++) {
      if (heads[i] > 1) {
        float scale = 1f / heads[i];
        float[] row = sums[i];
        int n = lengths[i];
        for (int k = 0; k < n; k++) {
          row[k] *= scale;
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
      if (lengths[i] > first + i + 1) {
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

  @Override
  public float[] row(int i) {
    return sums[i];
  }

  @Override
  public int length(int i) {
    return i < size && known(i) ? lengths[i] : 0;
  }

  /** Head with the largest weight on each key of the i-th query: the first {@link #length}. */
  int[] leaders(int i) {
    return leaders[i];
  }

  /** Ends the layer; the rows are nobody's any more. */
  void stop() {
    layer = -1;
    size = 0;
  }

  /** Gives the matrices back. */
  void release() {
    sums = new float[0][];
    largest = new float[0][];
    leaders = new int[0][];
    lengths = new int[0];
    heads = new int[0];
    keys = new int[0];
    size = 0;
  }
}
