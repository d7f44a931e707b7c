package org.modeltracer.attention;

import java.util.Arrays;
import org.modeltracer.kernels.Kernels;

/**
 * Where one head looks: mass by distance and by key position, 32 bytes per position.
 *
 * <p>Rows with a single visible key have no choice and do not count.
 *
 * <p>"Seen" counts are kept as differences, so that a row of visible keys costs two additions
 * whatever its length. Distances and keys beyond the cap are not counted.
 */
public final class PositionCounters {
  private final int cap;
  private int room;
  private double[] byDistance = {};
  private double[] received = {};
  private int[] argmaxAt = {};
  private int[] connected = {};
  private int[] seenAt = {0};
  private int[] seenKey = {0};

  PositionCounters(int cap) {
    this.cap = cap;
  }

  void add(RowMeasure row, float connectedAbove) {
    int q = row.query;
    int n = row.size;
    if (n < 2) {
      return;
    }
    grow(q + 1);
    float least = Math.nextUp(connectedAbove);
    if (row.adjacent() && q < room) {
      Kernels kernels = Kernels.chosen();
      int key = row.key(0);
      kernels.addReversed(row.weights, n, byDistance, q - key);
      int before = Math.min(n, q - key);
      kernels.add(row.weights, before, received, key);
      for (int i = kernels.next(row.weights, 0, before, least);
          i < before;
          i = kernels.next(row.weights, i + 1, before, least)) {
        connected[key + i]++;
      }
    } else {
      scattered(row, least);
    }
    int first = row.key(0);
    int last = row.key(n - 1);
    if (last - first == n - 1) {
      seen(q, first, last);
    } else {
      for (int i = 0; i < n; i++) {
        seen(q, row.key(i), row.key(i));
      }
    }
    int back = q - row.argmax;
    if (back < room) argmaxAt[back]++;
  }

  private void scattered(RowMeasure row, float least) {
    for (int i = 0; i < row.size; i++) {
      int key = row.key(i);
      float w = row.weights[i];
      int d = row.query - key;
      if (d < room) byDistance[d] += w;
      if (d > 0 && key < room) {
        received[key] += w;
        if (w >= least) connected[key]++;
      }
    }
  }

  private void seen(int q, int first, int last) {
    range(seenAt, q - last, q - first);
    range(seenKey, first, Math.min(last, q - 1));
  }

  private void range(int[] differences, int from, int to) {
    if (from < room && from <= to) {
      differences[from]++;
      differences[Math.min(room, to + 1)]--;
    }
  }

  private void grow(int needed) {
    int target = Math.min(cap, needed);
    if (target <= room) {
      return;
    }
    int size = Math.min(cap, Math.max(64, Math.max(target, room + room / 2)));
    byDistance = Arrays.copyOf(byDistance, size);
    received = Arrays.copyOf(received, size);
    argmaxAt = Arrays.copyOf(argmaxAt, size);
    connected = Arrays.copyOf(connected, size);
    seenAt = Arrays.copyOf(seenAt, size + 1);
    seenKey = Arrays.copyOf(seenKey, size + 1);
    room = size;
  }

  PositionCounters merge(PositionCounters other) {
    grow(other.room);
    for (int i = 0; i < other.room; i++) {
      byDistance[i] += other.byDistance[i];
      received[i] += other.received[i];
      argmaxAt[i] += other.argmaxAt[i];
      connected[i] += other.connected[i];
    }
    for (int i = 0; i <= other.room; i++) {
      seenAt[i] += other.seenAt[i];
      seenKey[i] += other.seenKey[i];
    }
    return this;
  }

  PositionCounters copy() {
    return new PositionCounters(cap).merge(this);
  }

  /** Rows whose largest weight lies at a distance. */
  public int argmaxAt(int distance) {
    return distance < room ? argmaxAt[distance] : 0;
  }

  /** The distance at which most rows have their largest weight, the nearest of several. */
  public int commonOffset() {
    int offset = 0;
    for (int d = 1; d < room; d++) {
      if (argmaxAt[d] > argmaxAt[offset]) offset = d;
    }
    return offset;
  }

  /** Later queries that give a key more than the significance threshold. */
  public int connected(int key) {
    return connected[key];
  }

  /** Mass at each distance, over all rows. */
  public double[] massByDistance() {
    return byDistance.clone();
  }

  /** Rows that see a key at each distance. */
  public int[] rowsAtDistance() {
    return sums(seenAt);
  }

  /** Number of distances, from 0 on, up to the farthest that any row sees. */
  int reach() {
    int[] rows = rowsAtDistance();
    int reach = rows.length;
    while (reach > 0 && rows[reach - 1] == 0) reach--;
    return reach;
  }

  /** Rows of later queries that see each key. */
  public int[] rowsSeeingKey() {
    return sums(seenKey);
  }

  private int[] sums(int[] differences) {
    int[] counts = new int[room];
    int running = 0;
    for (int i = 0; i < room; i++) {
      running += differences[i];
      counts[i] = running;
    }
    return counts;
  }

  /** Mean weight at each distance over the rows that see that far; 0 where none does. */
  public double[] profile() {
    return ratio(byDistance, rowsAtDistance());
  }

  /** Mean weight at a distance over the rows that see that far; 0 where none does. */
  public double weightAt(int distance) {
    return distance < room ? profile()[distance] : 0;
  }

  /** α_k, mean weight that later queries put on each key; 0 where none sees it. Gu et al. 2024. */
  public double[] sinkScores() {
    return ratio(received, rowsSeeingKey());
  }

  private static double[] ratio(double[] mass, int[] rows) {
    double[] mean = new double[rows.length];
    for (int i = 0; i < rows.length; i++) {
      mean[i] = rows[i] == 0 ? 0 : mass[i] / rows[i];
    }
    return mean;
  }
}
