package org.modeltracer.attention;

import java.util.Arrays;

/**
 * How far back copies of a query's token and their followers lie, over all queries that have any.
 *
 * <p>It depends on the tokens alone, and gives the mass that a head would put on them had it looked
 * at distance only: the baseline of content matching.
 */
public final class CopyDistances {
  private final int cap;
  private long[] copies = {};
  private long[] followers = {};
  private long queries;

  CopyDistances(int cap) {
    this.cap = cap;
  }

  /** Counts the pairs of one query. */
  void add(TokenTrack tokens, int query) {
    int copy = tokens.earlier(query);
    if (copy < 0) {
      return;
    }
    queries++;
    for (; copy >= 0; copy = tokens.earlier(copy)) {
      int d = query - copy;
      if (d < cap) {
        grow(d + 1);
        copies[d]++;
        if (d > 1) followers[d - 1]++;
      }
    }
  }

  private void grow(int needed) {
    if (needed > copies.length) {
      int room = Math.min(cap, Math.max(64, needed + needed / 2));
      copies = Arrays.copyOf(copies, room);
      followers = Arrays.copyOf(followers, room);
    }
  }

  CopyDistances merge(CopyDistances other) {
    queries += other.queries;
    grow(other.copies.length);
    for (int i = 0; i < other.copies.length; i++) {
      copies[i] += other.copies[i];
      followers[i] += other.followers[i];
    }
    return this;
  }

  CopyDistances copy() {
    return new CopyDistances(cap).merge(this);
  }

  /** Mass on copies that a head with this distance profile would have whatever the tokens. */
  public double expectedCopies(double[] profile) {
    return expected(copies, profile);
  }

  /** Mass on followers of copies that a head with this distance profile would have. */
  public double expectedFollowers(double[] profile) {
    return expected(followers, profile);
  }

  private double expected(long[] pairs, double[] profile) {
    double mass = 0;
    for (int d = 0; d < Math.min(pairs.length, profile.length); d++) {
      mass += pairs[d] * profile[d];
    }
    return queries == 0 ? 0 : Math.min(1, mass / queries);
  }
}
