package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The {@link Rollout} of one sequence, layer by layer as it streams.
 *
 * <p>Â = 0.5 Ā + 0.5 I with rows made to sum to 1, R_l = Â_l R_{l−1}, R_0 = I. Row i of R_l needs
 * rows up to i of R_{l−1} only, so a prompt in one batch takes one triangle, updated in place from
 * the last row up, beside the head mean. A sequence that continues (decode, ubatches) needs the
 * earlier rows of every R_l: those triangles, 2·L·n² bytes in all, are kept while they fit the
 * budget; an earlier row is never computed again.
 */
final class RunningRollout {
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
  private @Nullable String partial;

  /** An empty rollout of a model with that many layers and a bound on kept triangles in bytes. */
  RunningRollout(int layers, long budget) {
    this.layers = layers;
    this.budget = budget;
    this.spread = new double[layers + 1];
    this.spreadRows = new long[layers + 1];
  }

  /**
   * Whether rows of a pass over positions {@code first} to {@code last} can be followed; otherwise
   * the rollout stays at the positions it has.
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
    if (first > 0 && !(keeping && trianglesFit(n))) {
      return "continuing at position " + first + " needs more than " + budget + " bytes";
    }
    return 4 * n * (n + 1) > budget
        ? "two matrices of " + n + " positions need more than " + budget + " bytes"
        : null;
  }

  /** Whether a triangle of n positions per layer fits the budget. */
  private boolean trianglesFit(long n) {
    return 2L * layers * n * (n + 1) <= budget;
  }

  /**
   * A rollout that goes on after the first positions of this one; empty when what it would need of
   * them is not held.
   */
  RunningRollout prefix(int positions) {
    var next = new RunningRollout(layers, budget);
    boolean held = keeping && stopped == null && step == 0 && positions <= done.size();
    for (int at = 1; held && at < kept.size(); at++) {
      held = positions <= kept.get(at).size();
    }
    if (held) {
      next.partial = partial;
      next.done.addAll(done.subList(0, positions));
      for (List<float[]> triangle : kept) {
        next.kept.add(new ArrayList<>(triangle.subList(0, Math.min(positions, triangle.size()))));
      }
    }
    return next;
  }

  /** Whether no more rows are followed. */
  boolean isStopped() {
    return stopped != null;
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
    notePartial(mean);
    List<float[]> before = keeping && step < kept.size() ? kept.get(step) : List.of();
    for (int i = Math.min(size, mean.size) - 1; i >= 0; i--) {
      if (mean.known(i)) {
        advance(mean.row(i), first, i, before);
      }
    }
    step++;
    for (int i = 0; i < size; i++) {
      if (step < spread.length) {
        spread[step] += Entropy.of(current[i]);
        spreadRows[step]++;
      }
    }
  }

  private void notePartial(HeadMean mean) {
    int shown = 0;
    for (int i = 0; i < mean.size; i++) {
      shown += mean.known(i) ? 1 : 0;
    }
    if (partial == null && shown < size) {
      partial =
          "layer %d showed the rows of %d of %d positions; the others go around it"
              .formatted(mean.layer, shown, size);
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
    if (keeping && !trianglesFit(n)) {
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
  int positions() {
    return done.size();
  }

  /** The final row of a position; to be read only. */
  float[] row(int position) {
    return done.get(position);
  }

  /** The rollout so far. */
  Rollout collected() {
    var entropy = new ArrayList<Double>();
    for (int l = 1; l < spread.length && spreadRows[l] > 0; l++) {
      entropy.add(spread[l] / spreadRows[l]);
    }
    return new Rollout(List.copyOf(done), entropy, stopped, partial);
  }
}
