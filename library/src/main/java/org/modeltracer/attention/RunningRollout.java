package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.kernels.Kernels;

/**
 * The {@link Rollout} of one sequence, layer by layer as it streams.
 *
 * <p>Â = 0.5 Ā + 0.5 I with rows made to sum to 1, R_l = Â_l R_{l−1}, R_0 = I. Under a causal mask
 * row i of R_l needs rows up to i of R_{l−1} only, so a prompt in one batch takes one triangle,
 * updated in place from the last row up, beside the head mean. Where queries see later keys a layer
 * makes a new matrix of the one before: three squares with the head mean. A sequence that continues
 * (decode, ubatches) needs the earlier rows of every R_l: those matrices, 2·L·n² bytes as triangles
 * and 4·L·n² as squares, are kept while they fit the budget; an earlier row is never computed
 * again. Each row of them is needed for each later one, so rows of short passes wait until some can
 * be followed together, or until somebody asks.
 */
final class RunningRollout {
  /** Rows that are worth reading all earlier ones for. */
  private static final int TOGETHER = 32;

  private static final float[] GONE = {};

  private final int layers;
  private final long budget;
  private final int panel = Kernels.chosen().panel();
  private final RolloutStep mixing = new RolloutStep();
  private final List<Matrix> kept = new ArrayList<>();
  private final List<float[]> done = new ArrayList<>();
  private final WaitingRows waiting = new WaitingRows();
  private final double[] spread;
  private final long[] spreadRows;

  /** Rows of the pass in progress, each of whole panels. */
  private float[][] current = {};

  private int step;
  private int size;
  private boolean deferred;
  private boolean keeping = true;
  private boolean ahead;
  private @Nullable String stopped;
  private @Nullable String partial;

  /** Rows by position of the input of one layer. */
  private static final class Matrix {
    private float[][] rows = new float[64][];
    private int size;

    void add(float[] row) {
      if (size == rows.length) {
        rows = Arrays.copyOf(rows, 2 * size);
      }
      rows[size++] = row;
    }
  }

  /** An empty rollout of a model with that many layers and a bound on its matrices in bytes. */
  RunningRollout(int layers, long budget) {
    this.layers = layers;
    this.budget = budget;
    this.spread = new double[layers + 1];
    this.spreadRows = new long[layers + 1];
  }

  /** From here on rows see later keys. */
  void lookAhead() {
    if (stopped == null && !ahead) {
      followNow();
      ahead = true;
    }
  }

  /** Stays at the positions that it has: no more rows are followed. */
  void stop(String obstacle) {
    if (stopped == null) {
      settle();
      stopped = obstacle;
      kept.clear();
      current = new float[0][];
      deferred = false;
      step = 0;
    }
  }

  /**
   * Why rows of a pass over positions {@code first} to {@code last} cannot be followed; null where
   * they can.
   */
  @Nullable String obstacle(int first, int last) {
    long n = last + 1L;
    if (first != positions()) {
      return "position " + first + " does not follow the last one traced, " + (positions() - 1);
    }
    if (first > 0 && !(keeping && allFit(n))) {
      return "continuing at position " + first + " needs more than " + budget + " bytes";
    }
    int matrices = ahead ? 3 : 2;
    return matrices * bytes(n) > budget
        ? "%s matrices of %d positions need more than %d bytes"
            .formatted(ahead ? "three" : "two", n, budget)
        : null;
  }

  /** Bytes of a matrix of n positions: a triangle while no query sees a later key. */
  private long bytes(long n) {
    return Float.BYTES * (ahead ? n * n : n * (n + 1) / 2);
  }

  /** Whether a matrix of n positions per layer fits the budget. */
  private boolean allFit(long n) {
    return layers * bytes(n) <= budget;
  }

  /**
   * A rollout that goes on after the first positions of this one; empty when what it would need of
   * them is not held.
   */
  RunningRollout prefix(int positions) {
    settle();
    var next = new RunningRollout(layers, budget);
    // Where earlier rows saw what is now gone, nothing goes on from them.
    boolean held =
        keeping
            && stopped == null
            && step == 0
            && (ahead ? positions == done.size() : positions <= done.size());
    for (int at = 1; held && at < kept.size(); at++) {
      held = positions <= kept.get(at).size;
    }
    if (held) {
      next.ahead = ahead;
      next.partial = partial;
      next.done.addAll(done.subList(0, positions));
      for (Matrix matrix : kept) {
        var copy = new Matrix();
        for (int i = 0; i < Math.min(positions, matrix.size); i++) {
          copy.add(matrix.rows[i]);
        }
        next.kept.add(copy);
      }
    }
    return next;
  }

  /** Whether no more rows are followed. */
  boolean isStopped() {
    return stopped != null;
  }

  /** Whether all rows so far go through every layer that showed any. */
  boolean isWhole() {
    return stopped == null && partial == null;
  }

  /** Notes a row that cannot be followed, since a weight is not finite. */
  void lose(int layer, int position) {
    notePartial(
        "layer %d showed weights of position %d that are not finite; they are left out"
            .formatted(layer, position));
  }

  private void notePartial(String reason) {
    if (partial == null) {
      partial = reason;
    }
  }

  /** Applies one complete layer of the pass in progress. */
  void layer(HeadMean mean) {
    if (stopped != null) {
      return;
    }
    notePartial(mean);
    if (step == 0) {
      begin(mean);
    }
    size = Math.max(size, mean.positions());
    if (deferred) {
      waiting.add(step, mean);
      step++;
    } else {
      apply(mean.first, size, mean);
    }
  }

  /** Whether a pass is to wait is known from its first layer. */
  private void begin(HeadMean mean) {
    long n = (long) mean.first + mean.positions();
    if (!allFit(n)) {
      keeping = false;
      kept.clear();
    }
    deferred = keeping && !ahead && mean.positions() < TOGETHER;
    if (!deferred) {
      settle();
    }
  }

  private void notePartial(HeadMean mean) {
    int shown = 0;
    for (int i = 0; i < mean.size; i++) {
      shown += mean.known(i) ? 1 : 0;
      if (mean.lacksHeads(i)) {
        notePartial(
            "layer %d showed the row of position %d in some of its heads only"
                .formatted(mean.layer, mean.first + i));
      }
    }
    int all = Math.max(size, mean.positions());
    if (step > 0 && mean.positions() > size) {
      notePartial(
          "layers before %d showed the rows of %d of %d positions; the others go around them"
              .formatted(mean.layer, size, all));
    }
    if (shown < all) {
      notePartial(
          "layer %d showed the rows of %d of %d positions; the others go around it"
              .formatted(mean.layer, shown, all));
    }
  }

  /** Applies a layer to the rows of the next n positions. */
  private void apply(int first, int n, MeanRows attention) {
    grow(first, n);
    if (keeping && step > 0) {
      keep(first);
    }
    float @Nullable [][] before = step == 0 ? null : keeping ? kept.get(step).rows : current;
    // Rows under a causal mask need none below them, and change in place from the last one up,
    // unless what was there is kept.
    float[][] next = step > 0 && (keeping || ahead) ? new float[n][] : current;
    for (int i = 0; i < n; i++) {
      if (next[i] == null) {
        next[i] = new float[padded(ahead ? first + n : first + i + 1)];
      }
    }
    mixing.make(attention, first, before, next, ahead);
    current = next;
    step++;
    for (int i = 0; i < n && step < spread.length; i++) {
      spread[step] += mixing.entropy(i);
      spreadRows[step]++;
    }
  }

  /** Makes rows for n positions; what no earlier layer showed goes around it. */
  private void grow(int first, int n) {
    int old = current.length;
    if (n > old) {
      current = Arrays.copyOf(current, n);
      for (int i = old; i < n; i++) {
        current[i] = new float[padded(first + i + 1)];
        current[i][first + i] = 1;
        for (int at = 1; at < Math.min(step, kept.size()); at++) {
          kept.get(at).add(current[i]);
        }
      }
    }
    if (ahead) {
      int room = padded(first + n);
      for (int i = 0; i < n; i++) {
        current[i] = widened(current[i], room);
      }
    }
  }

  private static float[] widened(float[] row, int room) {
    return row.length < room ? Arrays.copyOf(row, room) : row;
  }

  /** Appends the pass's rows of R_step, the input of the coming layer, to that step's matrix. */
  private void keep(int first) {
    while (kept.size() <= step) {
      kept.add(new Matrix());
    }
    Matrix matrix = kept.get(step);
    while (matrix.size < first) {
      // A position whose pass had fewer layers.
      matrix.add(widened(done.get(matrix.size), padded(matrix.size + 1)));
    }
    for (float[] row : current) {
      matrix.add(row);
    }
    if (ahead) {
      int room = padded(matrix.size);
      for (int j = 0; j < first; j++) {
        matrix.rows[j] = widened(matrix.rows[j], room);
      }
    }
  }

  /** Whole panels for n keys. */
  private int padded(int n) {
    return (n + panel - 1) / panel * panel;
  }

  /** Ends a forward pass: its rows are final, or wait. */
  void endForward() {
    if (step > 0 && deferred) {
      waiting.endPass(size);
    } else {
      finish();
    }
    step = 0;
    size = 0;
    deferred = false;
    if (waiting.size() >= TOGETHER) {
      settle();
    }
  }

  private void finish() {
    for (int i = 0; i < current.length; i++) {
      done.add(trimmed(current[i], done.size() + 1));
      current[i] = GONE;
    }
    current = new float[0][];
  }

  /** A row without what fills its last panel. */
  private float[] trimmed(float[] row, int least) {
    int n = least;
    if (ahead) {
      n = row.length;
      while (n > least && row[n - 1] == 0) {
        n--;
      }
    }
    return n == row.length ? row : Arrays.copyOf(row, n);
  }

  /** Follows the rows of passes that have ended. */
  void settle() {
    int n = waiting.size();
    if (n == 0) {
      return;
    }
    int first = done.size();
    int passing = step;
    step = 0;
    for (int layer = 0; layer < waiting.depth(); layer++) {
      apply(first, n, waiting.layer(layer));
    }
    finish();
    step = passing;
    waiting.drop(passing);
  }

  /** Follows all rows so far, those of the pass in progress, too. */
  private void followNow() {
    settle();
    if (deferred) {
      int passing = step;
      step = 0;
      for (int layer = 0; layer < passing; layer++) {
        apply(done.size(), size, waiting.layer(layer));
      }
      waiting.drop(0);
      deferred = false;
    }
  }

  /** Number of positions that were followed or wait. */
  private int positions() {
    return done.size() + waiting.size();
  }

  /** Number of positions whose rollout is known. */
  int known() {
    return done.size();
  }

  /** The final row of a position; to be read only. */
  float[] row(int position) {
    return done.get(position);
  }

  /** The rollout so far. */
  Rollout collected() {
    settle();
    var entropy = new ArrayList<Double>();
    for (int l = 1; l < spread.length && spreadRows[l] > 0; l++) {
      entropy.add(spread[l] / spreadRows[l]);
    }
    return new Rollout(List.copyOf(done), entropy, stopped, partial);
  }
}
