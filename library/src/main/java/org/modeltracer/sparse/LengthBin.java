package org.modeltracer.sparse;

/**
 * Queries that see about as many keys.
 *
 * @param from least number of keys, a power of two
 * @param to largest number of keys, one less than the next power of two
 * @param queries exercised queries with so many
 * @param recall mean recall of these, 0 to 1
 * @param best mean of what the best selection would hold, 0 to 1
 * @param chance mean of what a selection by chance would hold, 0 to 1
 */
public record LengthBin(int from, int to, long queries, double recall, double best, double chance) {
  /** Recall as a share of the best, 0 to 1. */
  double reached() {
    return best == 0 ? 0 : recall / best;
  }
}
