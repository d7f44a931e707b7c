package org.modeltracer.attention;

import java.util.Arrays;

/**
 * How far back copies of a query's token and their followers lie, over all queries that have any.
 *
 * <p>It depends on the tokens alone, and gives the mass that a head would put on them had it looked
 * at distance only: the baseline of content matching.
 */
public final class CopyDistances {
  private final Pairs copies;
  private final Pairs followers;

  CopyDistances(int cap) {
    copies = new Pairs(cap);
    followers = new Pairs(cap);
  }

  /** Pairs of a query and an earlier key, by distance, and queries by distance of their nearest. */
  private static final class Pairs {
    private final int cap;
    private long[] all = {};
    private long[] nearest = {};

    Pairs(int cap) {
      this.cap = cap;
    }

    void add(int distance, boolean first) {
      grow(distance + 1);
      all[distance]++;
      if (first) nearest[distance]++;
    }

    private void grow(int needed) {
      if (needed > all.length) {
        int room = Math.min(cap, Math.max(64, needed + needed / 2));
        all = Arrays.copyOf(all, room);
        nearest = Arrays.copyOf(nearest, room);
      }
    }

    void merge(Pairs other) {
      grow(other.all.length);
      for (int d = 0; d < other.all.length; d++) {
        all[d] += other.all[d];
        nearest[d] += other.nearest[d];
      }
    }

    /** Mass on such keys, over the queries that see one. */
    double expected(double[] profile, int reach) {
      double mass = 0;
      long queries = 0;
      for (int d = 0; d < Math.min(all.length, reach); d++) {
        mass += all[d] * profile[d];
        queries += nearest[d];
      }
      return queries == 0 ? 0 : Math.min(1, mass / queries);
    }
  }

  /** Counts the pairs of one query. */
  void add(TokenTrack tokens, int query) {
    boolean first = true;
    boolean firstFollower = true;
    for (int copy = tokens.earlier(query); copy >= 0; copy = tokens.earlier(copy)) {
      int d = query - copy;
      if (d >= copies.cap) {
        return;
      }
      copies.add(d, first);
      first = false;
      if (d > 1) {
        followers.add(d - 1, firstFollower);
        firstFollower = false;
      }
    }
  }

  CopyDistances merge(CopyDistances other) {
    copies.merge(other.copies);
    followers.merge(other.followers);
    return this;
  }

  CopyDistances copy() {
    return new CopyDistances(copies.cap).merge(this);
  }

  /** Mass on copies in sight that a head with such a distance profile has whatever the tokens. */
  public double expectedCopies(PositionCounters head) {
    return copies.expected(head.profile(), head.reach());
  }

  /** Mass on what followed copies, in sight, that a head with such a distance profile has. */
  public double expectedFollowers(PositionCounters head) {
    return followers.expected(head.profile(), head.reach());
  }
}
