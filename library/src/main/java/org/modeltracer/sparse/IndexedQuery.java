package org.modeltracer.sparse;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One query of one layer: what it sees, what of that is selected, and what attention would want.
 *
 * <p>A window that is moved from query to query: arrays are valid during the call, and longer than
 * {@link #keys}. Keys are in the order of their positions.
 */
final class IndexedQuery {
  int layer;
  int position;

  /** Number of the query in its graph. */
  int row;

  /** Keys that it sees. */
  int keys;

  /** Keys that may be selected. */
  int k;

  int[] cells = {};
  int[] positions = {};
  float[] scores = {};
  boolean[] selected = {};

  /** Attention over all keys, mean of the heads; null where it cannot be computed. */
  float @Nullable [] attention;

  /** Scores of each index head before their sum, {@code [head, key]}; empty where unknown. */
  float[][] headScores = {};

  private long[] order = {};
  private boolean[] chosen = {};

  /** Whether there are more keys than are selected: else nothing is tested. */
  boolean exercised() {
    return keys > k;
  }

  void reserve(int room, int heads) {
    if (positions.length < room || headScores.length != heads) {
      cells = new int[room];
      positions = new int[room];
      scores = new float[room];
      selected = new boolean[room];
      chosen = new boolean[room];
      order = new long[room];
      headScores = new float[heads][room];
    }
  }

  /** Puts cells in the order of their positions. */
  void sort(int[] positionOf) {
    boolean ascending = true;
    for (int i = 0; i < keys; i++) {
      order[i] = (long) positionOf[cells[i]] << 32 | cells[i];
      ascending &= i == 0 || order[i - 1] < order[i];
    }
    if (ascending) {
      return;
    }
    Arrays.sort(order, 0, keys);
    for (int i = 0; i < keys; i++) {
      cells[i] = (int) order[i];
    }
  }

  /** Marks the keys in chosen cells, of which some may not be in sight. */
  void select(int[] cell, int from, int n) {
    Arrays.fill(chosen, false);
    for (int i = from; i < from + n; i++) {
      if (cell[i] >= 0 && cell[i] < chosen.length) {
        chosen[cell[i]] = true;
      }
    }
    for (int i = 0; i < keys; i++) {
      selected[i] = chosen[cells[i]];
    }
  }
}
