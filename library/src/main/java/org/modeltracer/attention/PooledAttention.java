package org.modeltracer.attention;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.TreeMap;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.HeadId;

/**
 * Attention matrices of one sequence as pictures: as sharp as a fixed number of cells allows.
 *
 * <p>Positions are taken together in blocks of {@link #pool}, which is 1 until the sequence is
 * longer than there are blocks and doubles whenever it is. A cell is the mean over the queries of
 * its block of the weight on all keys of its block: with blocks of 1 the weight itself, and
 * whatever the blocks are, a row sums to what its queries' weights sum to.
 */
public final class PooledAttention {
  /** Blocks along a side, at most: more cells than a screen shows help nobody. */
  private static final int MOST_BLOCKS = 1024;

  private static final int FEWEST_BLOCKS = 16;

  private final int blocks;
  private final NavigableMap<HeadId, Sums> heads = new TreeMap<>();

  /** Logarithm to base 2 of the positions that a block takes together. */
  private int shift;

  private int positions;

  /** Sums of weights by block of queries and of keys, lower triangle by rows; rows by block. */
  private static final class Sums {
    float[] cells = {};
    int[] rows = {};

    void room(int side) {
      if (side > rows.length) {
        int more = Math.max(side, rows.length + rows.length / 2);
        rows = Arrays.copyOf(rows, more);
        cells = Arrays.copyOf(cells, cell(more, 0));
      }
    }

    void halve() {
      var half = new Sums();
      half.room((rows.length + 1) / 2);
      for (int q = 0; q < rows.length; q++) {
        half.rows[q / 2] += rows[q];
        for (int k = 0; k <= q; k++) {
          half.cells[cell(q / 2, k / 2)] += cells[cell(q, k)];
        }
      }
      cells = half.cells;
      rows = half.rows;
    }
  }

  /**
   * Pictures of no rows yet.
   *
   * @param heads how many heads there will be
   * @param cells cells of all their pictures together, at most, unless heads are so many that each
   *     has fewer than 136
   */
  public PooledAttention(long heads, long cells) {
    double each = (double) cells / Math.max(1, heads);
    // n (n + 1) / 2 cells make a triangle.
    int side = (int) ((Math.sqrt(8 * each + 1) - 1) / 2);
    blocks = Math.clamp(side, FEWEST_BLOCKS, MOST_BLOCKS);
  }

  /** Adds a row; one that sees later keys, or whose weights are not finite, has no picture. */
  public void row(AttentionRow row) {
    float[] weights = row.weights();
    if (!row.causal() || !Double.isFinite(row.sums().sum())) {
      return;
    }
    Sums sums = sums(row.layer(), row.head(), row.query());
    int base = cell(row.query() >> shift, 0);
    sums.rows[row.query() >> shift]++;
    if (shift == 0 && row.adjacent() && row.size() > 0) {
      Kernels.chosen().add(weights, 0, row.size(), sums.cells, base + row.key(0));
      return;
    }
    for (int i = 0; i < row.size(); i++) {
      sums.cells[base + (row.key(i) >> shift)] += weights[i];
    }
  }

  /** Adds the weights of a query on keys 0 to {@code weights.length - 1}. */
  public void row(int layer, int head, int query, float[] weights) {
    row(
        new AttentionRow()
            .at(layer, head, 0, query, 0, weights.length, MemorySegment.ofArray(weights), 0));
  }

  private Sums sums(int layer, int head, int query) {
    positions = Math.max(positions, query + 1);
    while ((query >> shift) >= blocks) {
      shift++;
      heads.values().forEach(Sums::halve);
    }
    Sums sums = heads.computeIfAbsent(new HeadId(layer, head), id -> new Sums());
    sums.room((query >> shift) + 1);
    return sums;
  }

  private static int cell(int query, int key) {
    return query * (query + 1) / 2 + key;
  }

  /** Positions that are taken together, a power of two. */
  public int pool() {
    return 1 << shift;
  }

  /** Positions from 0 to that of the last query. */
  public int positions() {
    return positions;
  }

  /** Blocks along a side. */
  public int side() {
    return (positions + pool() - 1) >> shift;
  }

  /** Heads that have a picture, ascending. */
  public NavigableSet<HeadId> heads() {
    return heads.navigableKeySet();
  }

  /** A cell: mean over the queries of a block of their weight on a block of keys, in [0, 1]. */
  public double weight(HeadId head, int query, int key) {
    Sums sums = heads.get(head);
    return sums == null || query >= sums.rows.length || sums.rows[query] == 0 || key > query
        ? 0
        : sums.cells[cell(query, key)] / sums.rows[query];
  }

  /**
   * A head's picture, a byte a cell, lower triangle by rows: b stands for (b / 255)², which keeps
   * small weights apart and is off by {@code √w / 255} at most.
   */
  public byte[] bytes(HeadId head) {
    int side = side();
    byte[] picture = new byte[cell(side, 0)];
    for (int q = 0; q < side; q++) {
      for (int k = 0; k <= q; k++) {
        double weight = Math.clamp(weight(head, q, k), 0, 1);
        picture[cell(q, k)] = (byte) Math.round(255 * Math.sqrt(weight));
      }
    }
    return picture;
  }
}
