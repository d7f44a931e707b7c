package org.modeltracer.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.kernels.RowSums;

/**
 * One query's attention in one head: a softmax row over the keys that the query can see.
 *
 * <p>A row is a window, reused from call to call, and may be read only during the call that hands
 * it over; copy what must outlive it. Keys are token positions in ascending order, never cache
 * cells; masked cells and padding are not part of the row. Weights sum to 1, less what a learned
 * attention sink (gpt-oss) absorbs.
 */
public final class AttentionRow {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private int layer;
  private int head;
  private int sequence;
  private int query;
  private int size;
  private int firstKey;
  private int[] keys = {};
  private boolean contiguous;
  private final RowSums sums = new RowSums();
  private float[] weights = {};
  private boolean summed;
  private final int lane;

  /** A window on rows that come one after another. */
  public AttentionRow() {
    this(0);
  }

  /**
   * A window on rows that may be read while those of another lane are.
   *
   * @param lane 0 or 1
   */
  public AttentionRow(int lane) {
    this.lane = lane;
  }

  /** Points this window at a row whose keys are {@code firstKey, firstKey + 1, …}. */
  public AttentionRow at(
      int layer,
      int head,
      int sequence,
      int query,
      int firstKey,
      int size,
      MemorySegment weights,
      long offset) {
    this.layer = layer;
    this.head = head;
    this.sequence = sequence;
    this.query = query;
    this.firstKey = firstKey;
    this.size = size;
    this.contiguous = true;
    if (this.weights.length < size) {
      this.weights = new float[Math.max(size, 2 * this.weights.length)];
    }
    MemorySegment.copy(weights, FLOAT, offset, this.weights, 0, size);
    summed = false;
    return this;
  }

  /** Points this window at a row whose keys are the first {@code size} entries of {@code keys}. */
  public AttentionRow at(
      int layer,
      int head,
      int sequence,
      int query,
      int[] keys,
      int size,
      MemorySegment weights,
      long offset) {
    at(layer, head, sequence, query, size == 0 ? 0 : keys[0], size, weights, offset);
    this.keys = keys;
    this.contiguous = size == 0 || keys[size - 1] - keys[0] == size - 1;
    return this;
  }

  /**
   * Lane of its head: rows of one lane come one after another, whoever reads those of the other.
   */
  public int lane() {
    return lane;
  }

  /** Layer index, from 0. */
  public int layer() {
    return layer;
  }

  /** Query head index, from 0. */
  public int head() {
    return head;
  }

  /** Sequence the query belongs to. */
  public int sequence() {
    return sequence;
  }

  /** Token position of the query. */
  public int query() {
    return query;
  }

  /** Number of visible keys, k in the formulas. */
  public int size() {
    return size;
  }

  /** Token position of the i-th visible key, {@code 0 <= i < size()}. */
  public int key(int i) {
    return contiguous ? firstKey + i : keys[i];
  }

  /** Weight on the i-th visible key, {@code 0 <= i < size()}. */
  public float weight(int i) {
    return weights[i];
  }

  /** Weights on the visible keys, the first {@code size()} entries; to be read only. */
  public float[] weights() {
    return weights;
  }

  /** Sums over the row, computed once. */
  public RowSums sums() {
    if (!summed) {
      Kernels.chosen().row(weights, size, sums);
      summed = true;
    }
    return sums;
  }

  /** Whether its keys follow each other: key i is {@code key(0) + i}. */
  public boolean adjacent() {
    return contiguous;
  }

  /** Whether no visible key lies after the query. */
  public boolean causal() {
    return size == 0 || key(size - 1) <= query;
  }

  /** Index of the first key at a token position or later, {@code size()} when there is none. */
  public int lower(int position) {
    if (contiguous) {
      return Math.clamp((long) position - firstKey, 0, size);
    }
    int i = Arrays.binarySearch(keys, 0, size, position);
    return i < 0 ? -i - 1 : i;
  }

  /** Index of the key at a token position, or -1 when the query does not see that position. */
  public int indexOf(int position) {
    if (contiguous) {
      int i = position - firstKey;
      return i >= 0 && i < size ? i : -1;
    }
    int i = Arrays.binarySearch(keys, 0, size, position);
    return i < 0 ? -1 : i;
  }
}
