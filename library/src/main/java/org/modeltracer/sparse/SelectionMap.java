package org.modeltracer.sparse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.PooledAttention;
import org.modeltracer.model.HeadId;

/**
 * What each query of a text selects, what the scores were, and what attention would want, as
 * pictures that are as sharp as a fixed number of cells allows.
 */
public final class SelectionMap {
  /** Cells of all pictures together, a byte each. */
  private static final long CELLS = 600_000;

  private static final int KINDS = 3;
  private static final int LARGEST = 255;

  /**
   * Pictures of all layers.
   *
   * @param positions positions from 0 to that of the last query
   * @param pool positions that a block takes together, 1 until there are more of them than blocks
   * @param side blocks along a side
   * @param leftOut queries, of any layer, without a picture: those that were not read, and those
   *     that do not see all positions up to their own, as behind a sliding window
   * @param layers those that had a query, ascending
   */
  public record Picture(int positions, int pool, int side, long leftOut, List<Layer> layers) {}

  /**
   * One layer's pictures: lower triangles of blocks by rows, {@code [query, key]}, a byte a cell.
   *
   * @param layer layer index
   * @param topK keys that may be selected
   * @param selected b / 255 is the share of the block's pairs of a query and a key in sight that
   *     are selected; not 0 where any is
   * @param scores {@code scoreLeast + b / 255 · (scoreLargest − scoreLeast)} is their mean score
   * @param scoreLeast the lowest cell
   * @param scoreLargest the highest cell
   * @param attention (b / 255)² is the mean weight, of the block's queries, of its keys in
   *     attention over all keys; null where that cannot be computed
   */
  public record Layer(
      int layer,
      int topK,
      byte[] selected,
      byte[] scores,
      double scoreLeast,
      double scoreLargest,
      byte @Nullable [] attention) {}

  private final int[] layers;
  private final int[] topK;
  private final PooledAttention seen;
  private final PooledAttention selected;
  private final PooledAttention scores;
  private final PooledAttention attention;
  private long leftOut;

  /** Pictures of layers with such an index. */
  SelectionMap(int... layers) {
    this.layers = layers;
    topK = new int[layers.length];
    long each = CELLS / KINDS;
    seen = new PooledAttention(layers.length, each);
    selected = new PooledAttention(layers.length, each);
    scores = new PooledAttention(layers.length, each);
    attention = new PooledAttention(layers.length, each);
  }

  /** Adds a query of the layer that was named at this place. */
  void add(int at, IndexedQuery query) {
    int n = query.keys;
    if (n != query.position + 1 || query.positions[0] != 0 || query.positions[n - 1] != n - 1) {
      leaveOut();
      return;
    }
    topK[at] = query.k;
    float[] row = new float[n];
    Arrays.fill(row, 1);
    seen.row(layers[at], 0, query.position, row);
    for (int i = 0; i < n; i++) {
      row[i] = query.selected[i] ? 1 : 0;
    }
    selected.row(layers[at], 0, query.position, row);
    scores.row(layers[at], 0, query.position, Arrays.copyOf(query.scores, n));
    float[] wanted = query.attention;
    if (wanted != null) {
      attention.row(layers[at], 0, query.position, Arrays.copyOf(wanted, n));
    }
  }

  /** Counts a query of which nothing was read. */
  void leaveOut() {
    leftOut++;
  }

  Picture picture() {
    var pictures = new ArrayList<Layer>();
    for (int i = 0; i < layers.length; i++) {
      var id = new HeadId(layers[i], 0);
      if (seen.heads().contains(id)) {
        double[] means = means(scores, id);
        double least = Arrays.stream(means).min().orElse(0);
        double largest = Arrays.stream(means).max().orElse(0);
        pictures.add(
            new Layer(
                layers[i],
                topK[i],
                shares(means(selected, id)),
                scaled(means, least, largest),
                least,
                largest,
                attention.heads().contains(id) ? attention.bytes(id) : null));
      }
    }
    return new Picture(seen.positions(), seen.pool(), seen.side(), leftOut, List.copyOf(pictures));
  }

  /** Means over the pairs of a query and a key in sight of each block; 0 where there is none. */
  private double[] means(PooledAttention of, HeadId id) {
    int side = seen.side();
    double[] means = new double[side * (side + 1) / 2];
    int cell = 0;
    for (int q = 0; q < side; q++) {
      for (int k = 0; k <= q; k++, cell++) {
        double pairs = seen.weight(id, q, k);
        means[cell] = pairs > 0 ? of.weight(id, q, k) / pairs : 0;
      }
    }
    return means;
  }

  private static byte[] shares(double[] means) {
    byte[] bytes = new byte[means.length];
    for (int i = 0; i < bytes.length; i++) {
      long share = Math.round(LARGEST * Math.clamp(means[i], 0, 1));
      bytes[i] = (byte) (means[i] > 0 ? Math.max(1, share) : 0);
    }
    return bytes;
  }

  private static byte[] scaled(double[] means, double least, double largest) {
    byte[] bytes = new byte[means.length];
    for (int i = 0; i < bytes.length && largest > least; i++) {
      bytes[i] = (byte) Math.round(LARGEST * (means[i] - least) / (largest - least));
    }
    return bytes;
  }
}
