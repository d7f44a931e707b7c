package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Head-averaged attention of every layer of one sequence, for the flow graph; 6 bytes per pair.
 *
 * <p>Kept while all layers fit the budget, 3·L·n² bytes for n positions; given up as a whole, with
 * a reason, as soon as they do not.
 */
public final class LayerMeans {
  private final int layerCount;
  private final long budget;
  private final List<Layer> layers = new ArrayList<>();
  private @Nullable String stopped;

  /** A layer's rows by position; null where a position's row was never shown. */
  private record Layer(
      int index, List<float @Nullable []> means, List<short @Nullable []> leaders) {}

  LayerMeans(int layerCount, long budget) {
    this.layerCount = layerCount;
    this.budget = budget;
  }

  /** Takes one complete layer of the pass in progress. */
  void layer(HeadMean mean) {
    if (stopped != null) {
      return;
    }
    long n = (long) mean.first + mean.size;
    if (3L * layerCount * n * (n + 1) > budget) {
      stopped = layerCount + " layers of " + n + " positions need more than " + budget + " bytes";
      layers.clear();
      return;
    }
    Layer layer = at(mean.layer);
    while (layer.means.size() < mean.first) {
      layer.means.add(null);
      layer.leaders.add(null);
    }
    for (int i = 0; i < mean.size; i++) {
      layer.means.add(mean.known(i) ? mean.row(i).clone() : null);
      layer.leaders.add(mean.known(i) ? mean.leaders(i) : null);
    }
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

  /**
   * Row of Â = 0.5 Ā + 0.5 I, made to sum to 1, over keys 0 to {@code position}; a position whose
   * row was not shown keeps to itself.
   */
  public double[] mixed(int d, int position) {
    double[] row = new double[position + 1];
    float[] mean = layers.get(d).means.get(position);
    if (mean == null) {
      row[position] = 1;
      return row;
    }
    double sum = 1;
    for (float a : mean) {
      sum += a;
    }
    for (int j = 0; j <= position; j++) {
      row[j] = mean[j] / sum;
    }
    row[position] += 1 / sum;
    return row;
  }

  /**
   * Row of Ā over keys 0 to {@code position}; a position whose row was not shown keeps to itself.
   */
  public float[] mean(int d, int position) {
    float[] mean = layers.get(d).means.get(position);
    if (mean == null) {
      float[] own = new float[position + 1];
      own[position] = 1;
      return own;
    }
    return mean.clone();
  }

  /** Entropy of a position's head-averaged row over the largest possible, in [0, 1]. */
  public double normalizedEntropy(int d, int position) {
    float[] mean = layers.get(d).means.get(position);
    if (mean == null || position == 0) {
      return 0;
    }
    double h = 0;
    for (double a : mean) {
      if (a > 0) h -= a * Math.log(a);
    }
    return Math.max(0, h / Math.log(position + 1.0));
  }

  /** Head with the largest weight of a position on a key. */
  public int leader(int d, int position, int key) {
    short[] heads = layers.get(d).leaders.get(position);
    return heads == null ? 0 : heads[key];
  }
}
