package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.modeltracer.model.AttentionRow;

/** What one head gives and takes token by token, for one prompt; 36 bytes a position. */
final class TokenScores {
  private static final int TOP = 3;
  private double[] received = {};
  private float[] given = {};
  private float[] self = {};
  private int[] keys = {};
  private float[] weights = {};
  private int size;

  void add(RowMeasure row, AttentionRow window) {
    grow(row.query + 1);
    int q = row.query;
    Arrays.fill(weights, TOP * q, TOP * (q + 1), 0);
    float own = 0;
    for (int i = 0; i < row.size; i++) {
      int key = window.key(i);
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

  List<AttentionLayer.TokenScore> scores(TokenTrack tokens) {
    var scores = new ArrayList<AttentionLayer.TokenScore>();
    for (int q = 0; q < size; q++) {
      var most = new ArrayList<AttentionLayer.Attended>();
      for (int i = TOP * q; i < TOP * (q + 1) && weights[i] > 0; i++) {
        most.add(new AttentionLayer.Attended(keys[i], tokens.text(keys[i]), weights[i]));
      }
      scores.add(
          new AttentionLayer.TokenScore(tokens.text(q), q, received[q], given[q], self[q], most));
    }
    return scores;
  }
}
