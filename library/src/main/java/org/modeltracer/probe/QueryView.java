package org.modeltracer.probe;

import org.jspecify.annotations.Nullable;
import org.modeltracer.cache.CellMap;
import org.modeltracer.cache.RowKeys;

/** The keys that one query sees in a layer; filled for a query and used for all heads. */
final class QueryView {
  private final AttentionMask mask;
  private final RowKeys keys = new RowKeys();
  private long maskRow;
  private int firstCell;
  private boolean biased;
  private boolean complete;
  private long dropped;

  QueryView(AttentionMask mask) {
    this.mask = mask;
  }

  void reserve(int cells) {
    keys.reserve(cells);
  }

  /**
   * Collects what a row of the mask lets its query see.
   *
   * @param map what cells hold, or null where keys are no cells
   * @param first the first key's cell
   * @param tokens whose positions keys have that are the tokens themselves; else null
   * @return whether every key's position is known
   */
  boolean look(long row, int count, @Nullable CellMap map, int first, @Nullable Ubatch tokens) {
    maskRow = row;
    firstCell = first;
    keys.clear();
    int unknown = 0;
    biased = false;
    for (int c = 0; c < count; c++) {
      float bias = mask.value(row, c);
      if (bias == Float.NEGATIVE_INFINITY) {
        continue;
      }
      biased |= bias != 0;
      int position = -1;
      if (map != null) {
        position = map.position(first + c);
      } else if (tokens != null) {
        position = tokens.position(c);
      }
      if (position < 0) {
        unknown++;
      } else {
        keys.add(c, position);
      }
    }
    dropped += unknown;
    keys.sort();
    complete = unknown == 0;
    return complete;
  }

  /** Whether every key's position was known when it looked last. */
  boolean complete() {
    return complete;
  }

  /** The keys in sight, in the order of their positions. */
  RowKeys keys() {
    return keys;
  }

  /** The cell of the layer's first key. */
  int firstCell() {
    return firstCell;
  }

  /** Whether the mask adds something to the score of a key in sight. */
  boolean biased() {
    return biased;
  }

  /** What the mask adds to the score of the i-th key in sight. */
  float bias(int i) {
    return mask.value(maskRow, keys.cell(i));
  }

  /** Keys so far that were in sight without a known position. */
  long dropped() {
    return dropped;
  }
}
