package org.modeltracer.attention;

import java.util.Arrays;
import org.modeltracer.model.AttentionRow;

/**
 * Where one head looks: mass by distance and by key position, 32 bytes a position.
 *
 * <p>Rows with a single visible key have no choice and do not count.
 *
 * <p>"Seen" counts are kept as differences, so that a row of visible keys costs two additions
 * whatever its length. Beyond the cap only total mass and number of hits remain.
 */
final class PositionCounters {
  private final int cap;
  private int room;
  double[] byDistance = {};
  double[] received = {};
  int[] argmaxAt = {};
  int[] connected = {};
  private int[] seenAt = {0};
  private int[] seenKey = {0};
  double massBeyond;
  int argmaxBeyond;

  PositionCounters(int cap) {
    this.cap = cap;
  }

  /** Number of positions and of distances that have counters. */
  int room() {
    return room;
  }

  void add(RowMeasure row, AttentionRow window, float connectedAbove) {
    int q = row.query;
    int n = row.size;
    if (n < 2) {
      return;
    }
    grow(q + 1);
    for (int i = 0; i < n; i++) {
      int key = window.key(i);
      float w = row.weights[i];
      int d = q - key;
      if (d < room) byDistance[d] += w;
      else massBeyond += w;
      if (d > 0 && key < room) {
        received[key] += w;
        if (w > connectedAbove) connected[key]++;
      }
    }
    int first = window.key(0);
    int last = window.key(n - 1);
    if (last - first == n - 1) {
      seen(q, first, last);
    } else {
      for (int i = 0; i < n; i++) {
        seen(q, window.key(i), window.key(i));
      }
    }
    int back = q - row.argmax;
    if (back < room) argmaxAt[back]++;
    else argmaxBeyond++;
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

  void merge(PositionCounters other) {
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
    massBeyond += other.massBeyond;
    argmaxBeyond += other.argmaxBeyond;
  }

  /** Rows that see a key at each distance. */
  int[] rowsAtDistance() {
    return sums(seenAt);
  }

  /** Rows of later queries that see each key. */
  int[] rowsSeeingKey() {
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
  double[] profile() {
    return ratio(byDistance, rowsAtDistance());
  }

  /** α_k, mean weight that later queries put on each key; 0 where none sees it. Gu et al. 2024. */
  double[] sinkScores() {
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
