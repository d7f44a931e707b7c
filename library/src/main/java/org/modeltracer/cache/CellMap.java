package org.modeltracer.cache;

import java.util.Arrays;

/**
 * Which token position each cell of a KV cache holds, and for which sequences.
 *
 * <p>llama.cpp keeps this to itself; it is followed here from the indices that the cache writes
 * carry and from the operations done on the cache. Cells of several streams are numbered one stream
 * after the other. A cell has one position, whichever sequences share it.
 */
public final class CellMap {
  /** Stands for "up to the end" as an end position. */
  public static final int END = -1;

  private static final int EMPTY = -1;

  private final int[] positions;
  private final int words;
  private final long[] owners;
  private final int[] passes;
  private final int[] lost;
  private boolean anyLost;
  private int pass;
  private int used;

  /** An empty cache of that many cells for that many sequences. */
  CellMap(int cells, int sequences) {
    positions = new int[cells];
    words = (sequences + Long.SIZE - 1) / Long.SIZE;
    owners = new long[cells * words];
    passes = new int[cells];
    lost = new int[sequences];
    Arrays.fill(positions, EMPTY);
    Arrays.fill(lost, EMPTY);
  }

  public int cells() {
    return positions.length;
  }

  public int used() {
    return used;
  }

  /** Position in a cell, -1 when it is empty. */
  public int position(int cell) {
    return positions[cell];
  }

  /** What is written from now on belongs to that forward pass. */
  public void beginPass(int forward) {
    pass = forward;
  }

  /** Forward pass that wrote a cell last. */
  public int pass(int cell) {
    return passes[cell];
  }

  /** Whether a cell belongs to a sequence. */
  boolean holds(int cell, int sequence) {
    return (owners[cell * words + sequence / Long.SIZE] >>> sequence & 1) != 0;
  }

  /** The first sequence that a cell belongs to, -1 when it is empty. */
  int owner(int cell) {
    for (int w = 0; w < words; w++) {
      long bits = owners[cell * words + w];
      if (bits != 0) {
        return w * Long.SIZE + Long.numberOfTrailingZeros(bits);
      }
    }
    return -1;
  }

  /** The first sequence that shares a sequence's token; itself where it has none there. */
  int ownerOf(int sequence, int position) {
    for (int cell = 0; cell < positions.length; cell++) {
      if (positions[cell] == position && holds(cell, sequence)) {
        return owner(cell);
      }
    }
    return sequence;
  }

  private void own(int cell, int sequence) {
    owners[cell * words + sequence / Long.SIZE] |= 1L << sequence;
  }

  private void disown(int cell, int sequence) {
    owners[cell * words + sequence / Long.SIZE] &= ~(1L << sequence);
  }

  /** What a cell holds is not known any more. */
  public void empty(int cell) {
    Arrays.fill(owners, cell * words, (cell + 1) * words, 0);
    if (positions[cell] != EMPTY) {
      positions[cell] = EMPTY;
      used--;
    }
  }

  private void fill(int cell, int position, int sequence) {
    empty(cell);
    positions[cell] = position;
    own(cell, sequence);
    used++;
  }

  /**
   * A token was written into a cell.
   *
   * @return whether the cell held another token before
   */
  public boolean write(int cell, int position, int sequence) {
    boolean evicted = positions[cell] != EMPTY;
    if (evicted) {
      int loser = owner(cell);
      lost[loser] = Math.max(lost[loser], positions[cell]);
      anyLost = true;
    }
    fill(cell, position, sequence);
    passes[cell] = pass;
    return evicted;
  }

  /**
   * Ends a micro-batch: of a sequence that lost a cell to it, all older positions go too, so that
   * what is left has no gap; returns how many cells that emptied.
   */
  public int purge() {
    if (!anyLost) {
      return 0;
    }
    int emptied = 0;
    for (int s = 0; s < lost.length; s++) {
      if (lost[s] != EMPTY) {
        emptied += remove(s, 0, lost[s] + 1);
        lost[s] = EMPTY;
      }
    }
    anyLost = false;
    return emptied;
  }

  /**
   * Forgets positions {@code from <= p < to} of a sequence; returns how many cells that emptied.
   */
  public int remove(int sequence, int from, int to) {
    int emptied = 0;
    for (int cell = 0; cell < positions.length; cell++) {
      if (holds(cell, sequence) && within(positions[cell], from, to)) {
        disown(cell, sequence);
        emptied += emptyIfUnowned(cell);
      }
    }
    return emptied;
  }

  private int emptyIfUnowned(int cell) {
    for (int w = cell * words; w < (cell + 1) * words; w++) {
      if (owners[w] != 0) {
        return 0;
      }
    }
    empty(cell);
    return 1;
  }

  private static boolean within(int position, int from, int to) {
    return position >= from && (to < 0 || position < to);
  }

  /** Makes positions of one sequence part of another, in the same cells. */
  public void copy(int source, int target, int from, int to) {
    for (int cell = 0; cell < positions.length; cell++) {
      if (holds(cell, source) && within(positions[cell], from, to)) {
        own(cell, target);
      }
    }
  }

  /**
   * Copies one stream of cells over another, as separate streams copy whole sequences; returns how
   * many cells lost what they held.
   */
  public int copyStream(int source, int target, int streamCells) {
    int dropped = streamCells - free(target, streamCells);
    for (int i = 0; i < streamCells; i++) {
      int from = source * streamCells + i;
      int to = target * streamCells + i;
      if (holds(from, source)) {
        fill(to, positions[from], target);
        passes[to] = passes[from];
      } else {
        empty(to);
      }
    }
    return dropped;
  }

  /** Moves positions of a sequence; what moves below zero is forgotten. */
  public int shift(int sequence, int from, int to, int delta) {
    int emptied = 0;
    for (int cell = 0; cell < positions.length; cell++) {
      if (holds(cell, sequence) && within(positions[cell], from, to)) {
        if (positions[cell] + delta < 0) {
          empty(cell);
          emptied++;
        } else {
          positions[cell] += delta;
        }
      }
    }
    return emptied;
  }

  /** Forgets everything. */
  public void clear() {
    Arrays.fill(positions, EMPTY);
    Arrays.fill(owners, 0);
    used = 0;
  }

  /** How many cells of a sequence hold positions below {@code to}. */
  public int count(int sequence, int to) {
    int count = 0;
    for (int cell = 0; cell < positions.length; cell++) {
      if (holds(cell, sequence) && positions[cell] < to) {
        count++;
      }
    }
    return count;
  }

  /** Smallest position held, -1 when empty. */
  public int oldest() {
    int oldest = Integer.MAX_VALUE;
    for (int position : positions) {
      if (position != EMPTY && position < oldest) {
        oldest = position;
      }
    }
    return oldest == Integer.MAX_VALUE ? EMPTY : oldest;
  }

  /** Longest run of neighbouring cells in use, summed over streams of that many cells. */
  int longestRuns(int streamCells) {
    int sum = 0;
    for (int start = 0; start < positions.length; start += streamCells) {
      int longest = 0;
      int run = 0;
      for (int cell = start; cell < start + streamCells; cell++) {
        run = positions[cell] == EMPTY ? 0 : run + 1;
        longest = Math.max(longest, run);
      }
      sum += longest;
    }
    return sum;
  }

  /** Cells without a token among those of a stream. */
  int free(int stream, int streamCells) {
    int free = 0;
    for (int cell = stream * streamCells; cell < (stream + 1) * streamCells; cell++) {
      free += positions[cell] == EMPTY ? 1 : 0;
    }
    return free;
  }
}
