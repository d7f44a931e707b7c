package org.modeltracer.attention;

import org.modeltracer.model.AttentionRow;

/** Sums over the rows of one head of a layer without a causal mask; two merge. */
final class TwoWayTotals {
  private final double[] sums = new double[12];
  private long rows;
  private long bad;

  void add(AttentionRow row, TokenTrack tokens) {
    int size = row.size();
    int query = row.query();
    if (size < 2) {
      return;
    }
    double[] own = new double[sums.length];
    double total = 0;
    for (int i = 0; i < size; i++) {
      double w = row.weight(i);
      int key = row.key(i);
      int ahead = key - query;
      TokenKind kind = tokens.kind(key);
      boolean special = key == 0 || kind == TokenKind.SPECIAL;
      boolean structural = !special && kind == TokenKind.STRUCTURAL;
      total += w;
      own[0] -= w > 0 ? w * Math.log(w) : 0;
      own[1] += ahead == 0 ? w : 0;
      own[2] += ahead == -1 ? w : 0;
      own[3] += ahead == 1 ? w : 0;
      own[4] += key == 0 ? w : 0;
      own[5] += special ? w : 0;
      own[6] += structural ? w : 0;
      own[7] += ahead < 0 ? -ahead * w : 0;
      own[8] += ahead > 0 ? ahead * w : 0;
      own[10] += special ? 1.0 / size : 0;
      own[11] += structural ? 1.0 / size : 0;
    }
    own[0] = Math.max(0, own[0]);
    own[9] = 1.0 / size;
    if (total - total != 0) {
      bad++;
      return;
    }
    rows++;
    for (int i = 0; i < sums.length; i++) {
      sums[i] += own[i];
    }
  }

  TwoWayTotals merge(TwoWayTotals other) {
    rows += other.rows;
    bad += other.bad;
    for (int i = 0; i < sums.length; i++) {
      sums[i] += other.sums[i];
    }
    return this;
  }

  TwoWayMeans means() {
    double[] m = new double[sums.length];
    for (int i = 0; i < m.length; i++) {
      m[i] = rows == 0 ? 0 : sums[i] / rows;
    }
    return new TwoWayMeans(
        rows, bad, m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10], m[11]);
  }
}
