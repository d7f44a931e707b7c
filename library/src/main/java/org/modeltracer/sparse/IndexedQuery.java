package org.modeltracer.sparse;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One query of one layer: what it sees, what of that is selected, and what attention would want.
 *
 * <p>A window that is moved from query to query, to be read during the call only. Keys are in the
 * order of their positions.
 */
public final class IndexedQuery {
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

  IndexedQuery() {}

  /** Layer index. */
  public int layer() {
    return layer;
  }

  /** Token position of the query. */
  public int position() {
    return position;
  }

  /** Keys that it sees. */
  public int size() {
    return keys;
  }

  /** Token position of the i-th key, ascending. */
  public int key(int i) {
    return positions[i];
  }

  /** Index score of the i-th key. */
  public float score(int i) {
    return scores[i];
  }

  /** Whether the i-th key is selected. */
  public boolean selects(int i) {
    return selected[i];
  }

  /** Heads whose scores are known; 0 where the graph does not show them. */
  public int heads() {
    return headScores.length;
  }

  /** What an index head adds to the score of the i-th key: its weight times the ReLU. */
  public float score(int head, int i) {
    return headScores[head][i];
  }

  /** Whether there are more keys than are selected: else nothing is tested. */
  public boolean exercised() {
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
