package org.modeltracer.cache;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.model.AttentionRow;

/**
 * Which cached tokens received attention in a step.
 *
 * <p>A token is known by its position and the first sequence it belongs to, so that one shared by
 * sequences counts once, and so does one that layers keep in different caches.
 */
public final class AccessedPositions {
  private final CacheLayout caches;
  private final float least;
  private final List<BitSet> byQuery = new ArrayList<>();
  private final List<BitSet> byOwner = new ArrayList<>();
  private final BitSet both = new BitSet();
  private boolean seen;

  /** Counts keys whose weight, 0 to 1, is at least the threshold. */
  public AccessedPositions(CacheLayout caches, double threshold) {
    this.caches = caches;
    // The least float that reaches it.
    float nearest = (float) threshold;
    this.least = nearest < threshold ? Math.nextUp(nearest) : nearest;
  }

  /** A step begins. */
  public void begin() {
    seen = false;
    clear(byQuery);
    clear(byOwner);
  }

  private static void clear(List<BitSet> sets) {
    for (int i = 0; i < sets.size(); i++) {
      sets.get(i).clear();
    }
  }

  /** Takes a row whose i-th key lies in the i-th of {@code keys}, cells from {@code first} on. */
  public void add(AttentionRow row, RowKeys keys, CellMap cells, int first) {
    seen = true;
    BitSet known = of(byQuery, row.sequence());
    if (row.sums().max() < least) {
      return;
    }
    Kernels kernels = Kernels.chosen();
    float[] weights = row.weights();
    int n = row.size();
    for (int i = kernels.next(weights, 0, n, least);
        i < n;
        i = kernels.next(weights, i + 1, n, least)) {
      int position = row.key(i);
      if (!known.get(position)) {
        known.set(position);
        int owner = owner(row.sequence(), position, cells, first + keys.cell(i));
        of(byOwner, owner).set(position);
      }
    }
  }

  /** A window's cache may have dropped a token for one of its sequences: the largest shows it. */
  private int owner(int sequence, int position, CellMap cells, int cell) {
    if (sequence == 0) {
      return 0;
    }
    CacheGroup largest = caches.largest();
    return largest == null || largest.cells() == cells
        ? cells.owner(cell)
        : largest.cells().ownerOf(sequence, position);
  }

  private static BitSet of(List<BitSet> sets, int sequence) {
    while (sets.size() <= sequence) {
      sets.add(new BitSet());
    }
    return sets.get(sequence);
  }

  /**
   * Distinct tokens since the step began that this or another one, of other heads, has counted; -1
   * when neither saw a row.
   */
  public int count(AccessedPositions other) {
    int count = 0;
    int sequences = Math.max(byOwner.size(), other.byOwner.size());
    for (int i = 0; i < sequences; i++) {
      both.clear();
      both.or(of(byOwner, i));
      both.or(of(other.byOwner, i));
      count += both.cardinality();
    }
    return seen || other.seen ? count : -1;
  }
}
