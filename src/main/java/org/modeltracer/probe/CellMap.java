package org.modeltracer.probe;

import java.util.Arrays;

/**
 * Which token position each cell of a KV cache holds, and for which sequences.
 *
 * <p>llama.cpp keeps this to itself; it is followed here from the indices that the cache writes
 * carry and from the operations done on the cache. Cells of several streams are numbered one stream
 * after the other.
 */
final class CellMap {
  /** Stands for "up to the end" as an end position. */
  static final int END = -1;

  private static final int EMPTY = -1;

  private final int[] positions;
  private final long[] sequences;
  private final int[] passes;
  private int pass;
  private int used;

  /** An empty cache of that many cells. */
  CellMap(int cells) {
    positions = new int[cells];
    sequences = new long[cells];
    passes = new int[cells];
    Arrays.fill(positions, EMPTY);
  }

  int cells() {
    return positions.length;
  }

  int used() {
    return used;
  }

  /** Position in a cell, -1 when it is empty. */
  int position(int cell) {
    return positions[cell];
  }

  /** What is written from now on belongs to that forward pass. */
  void beginPass(int forward) {
    pass = forward;
  }

  /** Forward pass that wrote a cell last. */
  int pass(int cell) {
    return passes[cell];
  }

  /** Whether a cell belongs to a sequence. */
  boolean holds(int cell, int sequence) {
    return (sequences[cell] >>> sequence & 1) != 0;
  }

  /**
   * A token was written into a cell.
   *
   * @return whether the cell held another token before
   */
  boolean write(int cell, int position, int sequence) {
    boolean evicted = positions[cell] != EMPTY;
    if (!evicted) {
      used++;
    }
    positions[cell] = position;
    sequences[cell] = 1L << sequence;
    passes[cell] = pass;
    return evicted;
  }

  /**
   * Forgets positions {@code from <= p < to} of a sequence; returns how many cells that emptied.
   */
  int remove(int sequence, int from, int to) {
    int emptied = 0;
    for (int cell = 0; cell < positions.length; cell++) {
      if (holds(cell, sequence) && within(positions[cell], from, to)) {
        sequences[cell] &= ~(1L << sequence);
        emptied += dropIfUnowned(cell);
      }
    }
    return emptied;
  }

  private int dropIfUnowned(int cell) {
    if (sequences[cell] != 0 || positions[cell] == EMPTY) {
      return 0;
    }
    positions[cell] = EMPTY;
    used--;
    return 1;
  }

  private static boolean within(int position, int from, int to) {
    return position >= from && (to < 0 || position < to);
  }

  /** Makes positions of one sequence part of another, in the same cells. */
  void copy(int source, int target, int from, int to) {
    for (int cell = 0; cell < positions.length; cell++) {
      if (holds(cell, source) && within(positions[cell], from, to)) {
        sequences[cell] |= 1L << target;
      }
    }
  }

  /** Copies one stream of cells over another, as separate streams copy whole sequences. */
  void copyStream(int source, int target, int streamCells) {
    for (int i = 0; i < streamCells; i++) {
      int from = source * streamCells + i;
      int to = target * streamCells + i;
      if (positions[to] != EMPTY) {
        used--;
      }
      boolean held = holds(from, source);
      positions[to] = held ? positions[from] : EMPTY;
      sequences[to] = held ? 1L << target : 0;
      passes[to] = passes[from];
      if (held) {
        used++;
      }
    }
  }

  /** Forgets all sequences but one. */
  int keep(int sequence) {
    int emptied = 0;
    for (int cell = 0; cell < positions.length; cell++) {
      sequences[cell] &= 1L << sequence;
      emptied += dropIfUnowned(cell);
    }
    return emptied;
  }

  /** Moves positions of a sequence; what moves below zero is forgotten. */
  int shift(int sequence, int from, int to, int delta) {
    int emptied = 0;
    for (int cell = 0; cell < positions.length; cell++) {
      if (holds(cell, sequence) && within(positions[cell], from, to)) {
        positions[cell] += delta;
        if (positions[cell] < 0) {
          positions[cell] = 0;
          sequences[cell] = 0;
          emptied += dropIfUnowned(cell);
        }
      }
    }
    return emptied;
  }

  /** Forgets everything. */
  void clear() {
    Arrays.fill(positions, EMPTY);
    Arrays.fill(sequences, 0);
    used = 0;
  }

  /** Smallest position held, -1 when empty. */
  int oldest() {
    int oldest = Integer.MAX_VALUE;
    for (int position : positions) {
      if (position != EMPTY && position < oldest) {
        oldest = position;
      }
    }
    return oldest == Integer.MAX_VALUE ? EMPTY : oldest;
  }

  /** Longest run of neighbouring cells in use. */
  int longestRun() {
    int longest = 0;
    int run = 0;
    for (int position : positions) {
      run = position == EMPTY ? 0 : run + 1;
      longest = Math.max(longest, run);
    }
    return longest;
  }
}
