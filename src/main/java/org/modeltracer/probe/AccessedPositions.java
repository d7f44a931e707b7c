package org.modeltracer.probe;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.modeltracer.model.AttentionRow;

/**
 * Which cached tokens received attention in a step.
 *
 * <p>A token is known by its position and the first sequence it belongs to, so that one shared by
 * sequences counts once, and so does one that layers keep in different caches.
 */
final class AccessedPositions {
  private final double threshold;
  private final List<BitSet> bySequence = new ArrayList<>();
  private boolean seen;

  /** Counts keys whose weight, 0 to 1, is at least the threshold. */
  AccessedPositions(double threshold) {
    this.threshold = threshold;
  }

  /** A step begins. */
  void begin() {
    seen = false;
    for (int i = 0; i < bySequence.size(); i++) {
      bySequence.get(i).clear();
    }
  }

  /** Takes a row whose i-th key lies in the i-th of {@code keys}, cells from {@code first} on. */
  void add(AttentionRow row, RowKeys keys, CellMap cells, int first) {
    seen = true;
    for (int i = 0; i < row.size(); i++) {
      if (row.weight(i) >= threshold) {
        of(cells.owner(first + keys.cell(i))).set(row.key(i));
      }
    }
  }

  private BitSet of(int sequence) {
    while (bySequence.size() <= sequence) {
      bySequence.add(new BitSet());
    }
    return bySequence.get(sequence);
  }

  /** Distinct tokens since the step began, -1 when no row was seen. */
  int count() {
    int count = 0;
    for (int i = 0; i < bySequence.size(); i++) {
      count += bySequence.get(i).cardinality();
    }
    return seen ? count : -1;
  }
}
