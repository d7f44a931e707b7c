package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Head-averaged rows of short passes, layer by layer, that wait to be followed together; reused
 * from one time to the next.
 */
final class WaitingRows {
  private final List<Layer> layers = new ArrayList<>();
  private int depth;
  private int size;

  /** The rows of one layer. */
  private static final class Layer implements MeanRows {
    private float[][] rows = {};
    private int[] lengths = {};

    @Override
    public float[] row(int i) {
      return rows[i];
    }

    @Override
    public int length(int i) {
      return i < lengths.length ? lengths[i] : 0;
    }

    void set(int i, MeanRows from, int at) {
      if (i >= rows.length) {
        int room = Math.max(16, 2 * i);
        rows = Arrays.copyOf(rows, room);
        lengths = Arrays.copyOf(lengths, room);
      }
      int n = from.length(at);
      if (rows[i] == null || rows[i].length < n) {
        rows[i] = new float[n + 64];
      }
      System.arraycopy(n == 0 ? rows[i] : from.row(at), 0, rows[i], 0, n);
      lengths[i] = n;
    }

    void drop(int n) {
      for (int i = 0; i < rows.length; i++) {
        int from = i + n;
        if (from < rows.length) {
          float[] reused = rows[i];
          rows[i] = rows[from];
          rows[from] = reused;
        }
        lengths[i] = from < rows.length ? lengths[from] : 0;
      }
    }
  }

  /** Takes a layer of the pass in progress: its step among the layers with attention. */
  void add(int step, HeadMean mean) {
    while (layers.size() <= step) {
      layers.add(new Layer());
    }
    depth = Math.max(depth, step + 1);
    for (int i = 0; i < mean.positions(); i++) {
      layers.get(step).set(size + i, mean, i);
    }
  }

  /** Ends a pass over so many positions. */
  void endPass(int positions) {
    size += positions;
  }

  /** Positions whose passes have ended. */
  int size() {
    return size;
  }

  /** Layers with rows. */
  int depth() {
    return depth;
  }

  /** Rows of the layer of a step; none where no pass had one. */
  MeanRows layer(int step) {
    return layers.get(step);
  }

  /** Forgets the passes that have ended; of the one in progress so many layers stay. */
  void drop(int layersInProgress) {
    for (Layer layer : layers) {
      layer.drop(size);
    }
    size = 0;
    depth = layersInProgress;
  }
}
