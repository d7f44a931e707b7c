package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Head-averaged attention of every layer of one sequence, for the flow graph; 6 bytes per pair.
 *
 * <p>Kept while all layers fit the budget, for n positions 3·L·n² bytes, or 6·L·n² where queries
 * see later keys; given up as a whole, with a reason, as soon as it is known that they will not.
 */
public final class LayerMeans {
  private final int layerCount;
  private final long budget;
  private final List<Layer> layers = new ArrayList<>();
  private boolean ahead;
  private @Nullable String stopped;

  /** A layer's rows by position; null where a position's row was never shown. */
  private record Layer(
      int index, List<float @Nullable []> means, List<short @Nullable []> leaders) {}

  LayerMeans(int layerCount, long budget) {
    this.layerCount = layerCount;
    this.budget = budget;
  }

  /**
   * Takes one complete layer of the pass in progress.
   *
   * @param expected positions that the sequence will have at least
   */
  void layer(HeadMean mean, int expected) {
    if (stopped != null) {
      return;
    }
    ahead |= mean.looksAhead();
    long n = Math.max(expected, (long) mean.first + mean.positions());
    if (3L * layerCount * n * (ahead ? 2 * n : n + 1) > budget) {
      stopped = layerCount + " layers of " + n + " positions need more than " + budget + " bytes";
      layers.clear();
      return;
    }
    Layer layer = at(mean.layer);
    while (layer.means.size() < mean.first) {
      layer.means.add(null);
      layer.leaders.add(null);
    }
    for (int i = 0; i < mean.positions(); i++) {
      int keys = mean.length(i);
      layer.means.add(keys == 0 ? null : Arrays.copyOf(mean.row(i), keys));
      layer.leaders.add(keys == 0 ? null : shorts(mean.leaders(i), keys));
    }
  }

  private static short[] shorts(int[] heads, int n) {
    short[] small = new short[n];
    for (int i = 0; i < n; i++) {
      small[i] = (short) heads[i];
    }
    return small;
  }

  private Layer at(int index) {
    for (Layer layer : layers) {
      if (layer.index == index) {
        return layer;
      }
    }
    var layer = new Layer(index, new ArrayList<>(), new ArrayList<>());
    layers.add(layer);
    return layer;
  }

  LayerMeans copy() {
    return prefix(Integer.MAX_VALUE);
  }

  /** The first positions of this sequence, as the begin of another one. */
  LayerMeans prefix(int positions) {
    var next = new LayerMeans(layerCount, budget);
    next.ahead = ahead;
    next.stopped = stopped;
    for (Layer layer : layers) {
      int n = Math.min(positions, layer.means.size());
      next.layers.add(
          new Layer(
              layer.index,
              new ArrayList<>(layer.means.subList(0, n)),
              new ArrayList<>(layer.leaders.subList(0, n))));
    }
    return next;
  }

  /** Why there is no flow, or null. */
  public @Nullable String stopped() {
    return stopped;
  }

  /** Number of layers with attention. */
  public int depth() {
    return layers.size();
  }

  /** Index in the model of the d-th layer with attention. */
  public int index(int d) {
    return layers.get(d).index;
  }

  /** Number of positions that every layer knows. */
  public int positions() {
    return layers.stream().mapToInt(layer -> layer.means.size()).min().orElse(0);
  }

  /** Whether a query sees a key ahead of it, in any layer. */
  public boolean looksAhead() {
    return ahead;
  }

  /**
   * Row of Â = 0.5 Ā + 0.5 I, made to sum to 1, over keys from 0 to {@code position} at least; a
   * position whose row was not shown keeps to itself.
   */
  public double[] mixed(int d, int position) {
    float[] mean = mean(d, position);
    double[] row = new double[mean.length];
    double sum = 1;
    for (float a : mean) {
      sum += a;
    }
    for (int j = 0; j < row.length; j++) {
      row[j] = mean[j] / sum;
    }
    row[position] += 1 / sum;
    return row;
  }

  /**
   * Row of Ā over keys from 0 to {@code position}, or to the last one that it sees where that lies
   * ahead; a position whose row was not shown keeps to itself. To be read only.
   */
  public float[] mean(int d, int position) {
    float[] mean = layers.get(d).means.get(position);
    if (mean == null) {
      mean = new float[position + 1];
      mean[position] = 1;
    }
    return mean;
  }

  /** Entropy of a position's row of Ā over the logarithm of its number of keys, in [0, 1]. */
  public double normalizedEntropy(int d, int position) {
    float[] mean = mean(d, position);
    double h = 0;
    for (double a : mean) {
      if (a > 0) h -= a * Math.log(a);
    }
    return mean.length < 2 ? 0 : Math.clamp(h / Math.log(mean.length), 0, 1);
  }

  /** Head with the largest weight of a position on a key. */
  public int leader(int d, int position, int key) {
    short[] heads = layers.get(d).leaders.get(position);
    return heads == null ? 0 : heads[key];
  }
}
