package org.modeltracer.attention;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.kernels.Lanes;
import org.modeltracer.kernels.RowSums;

/**
 * One layer's step of a rollout: rows of Â times the rows so far, some at a time; used again from
 * step to step.
 *
 * <p>Two threads take every other panel of columns where there are many rows.
 */
final class RolloutStep {
  /** Rows of a product that keep its registers busy. */
  private static final int TILE = 4;

  /**
   * Rows of a pass from which on a second thread gains more than it costs to wake: more than rows
   * that waited, which are followed while llama.cpp's threads wait in a loop.
   */
  private static final int WORTH_TWO = 64;

  private final Kernels kernels = Kernels.chosen();
  private final int panel = kernels.panel();
  private final Lane[] lanes = {new Lane(), new Lane()};
  private MeanRows attention = new HeadMean();
  private float @Nullable [][] before;
  private float[][] made = {};
  private double[] entropy = {};
  private boolean ahead;
  private int first;
  private int room;

  /** Some rows of Â, and their products with the rows so far. */
  private static final class Lane {
    private final RowSums sums = new RowSums();
    private float[] weights = {};
    private float[] products = {};
  }

  /**
   * Makes rows of Â times earlier ones.
   *
   * @param rows of Ā, of the positions from {@code from} on
   * @param earlier rows by position that Â is multiplied with, none where it is the first; under a
   *     causal mask they may be the rows to make themselves, as these change from the last one up
   *     and need none below them
   * @param into receives their rows of the rollout, each of whole panels
   * @param seesAhead whether queries see later keys
   */
  void make(
      MeanRows rows, int from, float @Nullable [][] earlier, float[][] into, boolean seesAhead) {
    attention = rows;
    before = earlier;
    first = from;
    made = into;
    ahead = seesAhead;
    room = (from + into.length + panel - 1) / panel * panel;
    if (entropy.length < into.length) {
      entropy = new double[into.length];
    }
    if (made.length >= WORTH_TWO) {
      Lanes.run(lane -> columns(lane, Lanes.COUNT));
      Lanes.run(lane -> entropies(lane, Lanes.COUNT));
    } else {
      columns(0, 1);
      entropies(0, 1);
    }
    before = null;
  }

  /** Entropy of the i-th row that was made. */
  double entropy(int i) {
    return entropy[i];
  }

  /** Makes every {@code stride}-th panel of columns of all rows, from one on. */
  private void columns(int number, int stride) {
    Lane lane = lanes[number];
    if (lane.weights.length < TILE * room) {
      lane.weights = new float[TILE * (room + room / 4)];
      lane.products = new float[lane.weights.length];
    }
    float[][] earlier = before;
    float[] source = earlier == null ? lane.weights : lane.products;
    for (int end = made.length; end > 0; end -= TILE) {
      int begin = Math.max(0, end - TILE);
      int from = room;
      for (int i = begin; i < end; i++) {
        from = Math.min(from, weights(i, lane.weights, (i - begin) * room));
      }
      int to = first + (ahead ? made.length : end);
      for (int column = number * panel; column < to; column += stride * panel) {
        if (earlier != null) {
          int start = ahead ? from : Math.max(from, column);
          int stop = Math.max(start, to);
          kernels.combine(
              lane.weights, end - begin, room, earlier, start, stop, column, lane.products);
        }
        for (int i = begin; i < end; i++) {
          int length = Math.min(panel, made[i].length - column);
          if (length > 0) {
            System.arraycopy(source, (i - begin) * room + column, made[i], column, length);
          }
        }
      }
    }
  }

  /** Makes a row of Â from the i-th row of Ā; its first key that is not 0. */
  private int weights(int i, float[] weights, int at) {
    Arrays.fill(weights, at, at + room, 0);
    int position = first + i;
    int keys = attention.length(i);
    if (keys == 0) {
      weights[at + position] = 1;
      return position;
    }
    float[] row = attention.row(i);
    double total = kernels.sum(row, 0, keys);
    float half = (float) (1 / (total + 1));
    int from = Math.min(position, kernels.next(row, 0, keys, Float.MIN_VALUE));
    for (int j = from; j < keys; j++) {
      weights[at + j] = row[j] * half;
    }
    weights[at + position] += half;
    return from;
  }

  /** Finds the entropy of every {@code stride}-th row, from one on. */
  private void entropies(int number, int stride) {
    RowSums sums = lanes[number].sums;
    for (int i = number; i < made.length; i += stride) {
      kernels.row(made[i], made[i].length, sums);
      entropy[i] = Math.max(0, sums.entropy());
    }
  }
}
