package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What one head gives and takes token by token, for one prompt; 36 bytes per position. */
public final class TokenScores {
  private static final int TOP = 3;
  private double[] received = {};
  private float[] given = {};
  private float[] self = {};
  private int[] keys = {};
  private float[] weights = {};
  private int size;

  void add(RowMeasure row) {
    grow(row.query + 1);
    int q = row.query;
    Arrays.fill(weights, TOP * q, TOP * (q + 1), 0);
    float own = 0;
    for (int i = 0; i < row.size; i++) {
      int key = row.key(i);
      float w = row.weights[i];
      if (key == q) own = w;
      else received[key] += w;
      if (w > weights[TOP * q + TOP - 1]) insert(TOP * q, key, w);
    }
    self[q] = own;
    given[q] = (float) row.sum - own;
  }

  private void insert(int base, int key, float w) {
    int at = base + TOP - 1;
    while (at > base && weights[at - 1] < w) {
      weights[at] = weights[at - 1];
      keys[at] = keys[at - 1];
      at--;
    }
    weights[at] = w;
    keys[at] = key;
  }

  private void grow(int needed) {
    if (needed > received.length) {
      int room = Math.max(64, needed + needed / 2);
      received = Arrays.copyOf(received, room);
      given = Arrays.copyOf(given, room);
      self = Arrays.copyOf(self, room);
      keys = Arrays.copyOf(keys, TOP * room);
      weights = Arrays.copyOf(weights, TOP * room);
    }
    size = Math.max(size, needed);
  }

  TokenScores copy() {
    var copy = new TokenScores();
    copy.received = received.clone();
    copy.given = given.clone();
    copy.self = self.clone();
    copy.keys = keys.clone();
    copy.weights = weights.clone();
    copy.size = size;
    return copy;
  }

  /** Number of positions. */
  public int size() {
    return size;
  }

  /** Weight of later queries on a position, summed. */
  public double received(int position) {
    return received[position];
  }

  /** Weight of a position on others, summed. */
  public double given(int position) {
    return given[position];
  }

  /** Weight of a position on itself. */
  public double self(int position) {
    return self[position];
  }

  /** The keys that a position attends to most, three at most, largest first. */
  public List<RetainedAttention.Attended> most(int position) {
    var most = new ArrayList<RetainedAttention.Attended>();
    for (int i = TOP * position; i < TOP * (position + 1) && weights[i] > 0; i++) {
      most.add(new RetainedAttention.Attended(keys[i], weights[i]));
    }
    return most;
  }
}
