package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Attention rollout of one sequence, layer by layer as it streams.
 *
 * <p>Â = 0.5 Ā + 0.5 I with rows made to sum to 1, R_l = Â_l R_{l−1}, R_0 = I. Abnar and Zuidema
 * 2020, equation 1. Row i of R_l needs rows up to i of R_{l−1} only, so a prompt in one batch takes
 * one triangle, updated in place from the last row up, beside the head mean. A sequence that
 * continues (decode, ubatches) needs the earlier rows of every R_l: those triangles, 2·L·n² bytes
 * in all, are kept while they fit the budget; an earlier row is never computed again.
 */
public final class Rollout {
  private final int layers;
  private final long budget;
  private final List<List<float[]>> kept = new ArrayList<>();
  private final List<float[]> done = new ArrayList<>();
  private final double[] spread;
  private final long[] spreadRows;
  private float[][] current = {};
  private float[] scratch = {};
  private int size;
  private int step;
  private boolean keeping = true;
  private @Nullable String stopped;

  /** An empty rollout of a model with that many layers and a bound on kept triangles in bytes. */
  public Rollout(int layers, long budget) {
    this.layers = layers;
    this.budget = budget;
    this.spread = new double[layers + 1];
    this.spreadRows = new long[layers + 1];
  }

  /**
   * Whether rows of a pass over positions {@code first} to {@code last} can be followed; otherwise
   * {@link #stopped} says why, and the rollout stays at the positions it has.
   */
  boolean accepts(int first, int last) {
    if (stopped == null) {
      stopped = obstacle(first, last);
      if (stopped != null) {
        kept.clear();
      }
    }
    return stopped == null;
  }

  private @Nullable String obstacle(int first, int last) {
    long n = last + 1L;
    if (first != done.size()) {
      return "position " + first + " does not follow the last one traced, " + (done.size() - 1);
    }
    if (first > 0 && (!keeping || 2L * layers * n * (n + 1) > budget)) {
      return "continuing at position " + first + " needs more than " + budget + " bytes";
    }
    return 4 * n * (n + 1) > budget
        ? "two matrices of " + n + " positions need more than " + budget + " bytes"
        : null;
  }

  /**
   * A rollout that goes on after the first positions of this one; empty when what it would need of
   * them is not held.
   */
  Rollout prefix(int positions) {
    var next = new Rollout(layers, budget);
    boolean held = keeping && stopped == null && step == 0 && positions <= done.size();
    for (int at = 1; held && at < kept.size(); at++) {
      held = positions <= kept.get(at).size();
    }
    if (held) {
      next.done.addAll(done.subList(0, positions));
      for (List<float[]> triangle : kept) {
        next.kept.add(new ArrayList<>(triangle.subList(0, Math.min(positions, triangle.size()))));
      }
    }
    return next;
  }

  /** Why rows after the ones held were not followed, or null when all were. */
  public @Nullable String stopped() {
    return stopped;
  }

  /** Applies one complete layer of the pass in progress. */
  void layer(HeadMean mean) {
    if (stopped != null) {
      return;
    }
    int first = mean.first;
    if (step == 0) {
      begin(mean.size, first);
    } else {
      size = Math.max(size, mean.size);
    }
    if (keeping) {
      keep(step);
    }
    List<float[]> before = keeping && step < kept.size() ? kept.get(step) : List.of();
    for (int i = Math.min(size, mean.size) - 1; i >= 0; i--) {
      if (mean.known(i)) {
        advance(mean.row(i), first, i, before);
      }
    }
    step++;
    for (int i = 0; i < size; i++) {
      if (step < spread.length) {
        spread[step] += entropy(current[i]);
        spreadRows[step]++;
      }
    }
  }

  private void begin(int rows, int first) {
    size = rows;
    current = new float[rows][];
    for (int i = 0; i < rows; i++) {
      current[i] = new float[first + i + 1];
      current[i][first + i] = 1;
    }
    scratch = new float[first + rows];
    long n = (long) first + rows;
    if (keeping && 2L * layers * n * (n + 1) > budget) {
      keeping = false;
      kept.clear();
    }
  }

  /** Appends the pass's rows of R_step, the input of the coming layer, to that step's triangle. */
  private void keep(int at) {
    while (kept.size() <= at) {
      kept.add(new ArrayList<>());
    }
    if (at > 0) {
      for (int i = 0; i < size; i++) {
        kept.get(at).add(current[i].clone());
      }
    }
  }

  private void advance(float[] attention, int first, int i, List<float[]> before) {
    int q = first + i;
    double total = 0;
    for (float a : attention) {
      total += a;
    }
    float half = (float) (1 / (total + 1));
    Arrays.fill(scratch, 0, q + 1, 0);
    for (int j = 0; j <= q; j++) {
      float a = attention[j] * half + (j == q ? half : 0);
      if (a == 0) {
        continue;
      }
      if (j >= first) {
        axpy(a, current[j - first], j + 1);
      } else if (step == 0) {
        scratch[j] += a;
      } else {
        axpy(a, before.get(j), j + 1);
      }
    }
    System.arraycopy(scratch, 0, current[i], 0, q + 1);
  }

  private void axpy(float a, float[] row, int n) {
    float[] target = scratch;
    for (int k = 0; k < n; k++) {
      target[k] += a * row[k];
    }
  }

  /** Ends a forward pass: its rows are final. */
  void endForward() {
    if (step > 0) {
      done.addAll(Arrays.asList(current).subList(0, size));
      current = new float[0][];
    }
    step = 0;
    size = 0;
  }

  /** Number of positions whose rollout is known. */
  public int positions() {
    return done.size();
  }

  /** Number of layers with attention that the rollout went through. */
  int depth() {
    return entropyByLayer().length;
  }

  /** Rollout from a position to positions 0 to itself; sums to 1. A copy. */
  public float[] row(int position) {
    if (position < 0 || position >= done.size()) {
      throw new IndexOutOfBoundsException(
          "position " + position + " has no rollout; known are 0 to " + (done.size() - 1));
    }
    return done.get(position).clone();
  }

  /** Mean entropy, in nats, of the rows of R after each layer, index 0 being the first layer. */
  double[] entropyByLayer() {
    int n = 0;
    while (n + 1 < spread.length && spreadRows[n + 1] > 0) {
      n++;
    }
    double[] mean = new double[n];
    for (int l = 0; l < n; l++) {
      mean[l] = spread[l + 1] / spreadRows[l + 1];
    }
    return mean;
  }

  /** Bytes held in matrices. */
  long bytes() {
    long total = 0;
    for (float[] row : done) {
      total += 4L * row.length;
    }
    for (List<float[]> triangle : kept) {
      for (float[] row : triangle) {
        total += 4L * row.length;
      }
    }
    return total;
  }

  /** −Σ p ln p in nats of a row of non-negative weights. */
  static double entropy(float[] row) {
    double h = 0;
    for (float p : row) {
      if (p > 0) {
        h -= p * FastLog.log(p);
      }
    }
    return h;
  }

  /**
   * Rollout of a position had every head attended uniformly to all earlier positions: {@code
   * [position + 1]}, in linear time a layer.
   *
   * <p>The row vector e_q is multiplied by Â from the right, layer by layer: (r Â)_j = r_j / 2 +
   * Σ_{i≥j} r_i / (2 (i + 1)).
   */
  static double[] uniformRow(int position, int layers) {
    double[] r = new double[position + 1];
    r[position] = 1;
    for (int l = 0; l < layers; l++) {
      double tail = 0;
      for (int j = position; j >= 0; j--) {
        tail += r[j] / (2.0 * (j + 1));
        r[j] = r[j] / 2 + tail;
      }
    }
    return r;
  }
}
