package org.modeltracer.cache;

import java.util.Arrays;

/**
 * The keys one query sees: cells in the order of their token positions.
 *
 * <p>Filled for each query and used for all heads of a layer.
 */
public final class RowKeys {
  private long[] packed = {};
  private int[] cells = {};
  private int[] positions = {};
  private int size;
  private int last;
  private boolean ascending;

  public void clear() {
    size = 0;
    last = -1;
    ascending = true;
  }

  public void reserve(int keys) {
    if (packed.length < keys) {
      packed = new long[keys];
      cells = new int[keys];
      positions = new int[keys];
    }
  }

  public void add(int cell, int position) {
    cells[size] = cell;
    positions[size] = position;
    ascending &= size == 0 || positions[size - 1] < position;
    last = Math.max(last, cell);
    size++;
  }

  /** Puts the keys in the order of their positions, which cells need not have. */
  public void sort() {
    if (ascending) {
      return;
    }
    for (int i = 0; i < size; i++) {
      packed[i] = (long) positions[i] << 32 | cells[i];
    }
    Arrays.sort(packed, 0, size);
    for (int i = 0; i < size; i++) {
      positions[i] = (int) (packed[i] >> 32);
      cells[i] = (int) packed[i];
    }
  }

  public int size() {
    return size;
  }

  public int[] positions() {
    return positions;
  }

  /** The largest cell, -1 when there is none. */
  public int last() {
    return last;
  }

  public int cell(int i) {
    return cells[i];
  }

  /** Whether the cells follow each other, so that a row can be read where it lies. */
  public boolean adjacent() {
    return ascending && size > 0 && cells[size - 1] - cells[0] == size - 1;
  }
}
