package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The {@link Rollout} of one sequence, layer by layer as it streams.
 *
 * <p>Â = 0.5 Ā + 0.5 I with rows made to sum to 1, R_l = Â_l R_{l−1}, R_0 = I. Under a causal mask
 * row i of R_l needs rows up to i of R_{l−1} only, so a prompt in one batch takes one triangle,
 * updated in place from the last row up, beside the head mean. Where queries see later keys a layer
 * makes a new matrix of the one before: three squares with the head mean. A sequence that continues
 * (decode, ubatches) needs the earlier rows of every R_l: those matrices, 2·L·n² bytes as triangles
 * and 4·L·n² as squares, are kept while they fit the budget; an earlier row is never computed
 * again.
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
  private int step;
  private boolean keeping = true;
  private boolean ahead;
  private @Nullable String stopped;
  private @Nullable String partial;

  /** An empty rollout of a model with that many layers and a bound on its matrices in bytes. */
  RunningRollout(int layers, long budget) {
    this.layers = layers;
    this.budget = budget;
    this.spread = new double[layers + 1];
    this.spreadRows = new long[layers + 1];
  }

  /**
   * Whether rows of a pass over positions {@code first} to {@code last} can be followed; otherwise
   * the rollout stays at the positions it has.
   *
   * @param looksAhead whether a row sees a later key
   */
  boolean accepts(int first, int last, boolean looksAhead) {
    if (stopped == null) {
      ahead |= looksAhead;
      stopped = obstacle(first, last);
      if (stopped != null) {
        kept.clear();
        current = new float[0][];
        step = 0;
      }
    }
    return stopped == null;
  }

  private @Nullable String obstacle(int first, int last) {
    long n = last + 1L;
    if (first != done.size()) {
      return "position " + first + " does not follow the last one traced, " + (done.size() - 1);
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
    var next = new RunningRollout(layers, budget);
    // Where earlier rows saw what is now gone, nothing goes on from them.
    boolean held =
        keeping
            && stopped == null
            && step == 0
            && (ahead ? positions == done.size() : positions <= done.size());
    for (int at = 1; held && at < kept.size(); at++) {
      held = positions <= kept.get(at).size();
    }
    if (held) {
      next.ahead = ahead;
      next.partial = partial;
      next.done.addAll(done.subList(0, positions));
      for (List<float[]> matrix : kept) {
        next.kept.add(new ArrayList<>(matrix.subList(0, Math.min(positions, matrix.size()))));
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
    int first = mean.first;
    grow(first, mean);
    if (keeping && !allFit((long) first + current.length)) {
      keeping = false;
      kept.clear();
    }
    if (keeping) {
      keep(step);
    }
    notePartial(mean);
    List<float[]> before = keeping && step < kept.size() ? kept.get(step) : List.of();
    // Rows under a causal mask need none below them, and change in place from the last one up.
    boolean inPlace = !mean.looksAhead();
    float[][] next = current.clone();
    for (int i = current.length - 1; i >= 0; i--) {
      if (i < mean.size && mean.known(i)) {
        int length = mix(mean.row(i), first, i, before);
        next[i] = inPlace && current[i].length == length ? current[i] : new float[length];
        System.arraycopy(scratch, 0, next[i], 0, length);
      }
    }
    current = next;
    step++;
    for (int i = 0; i < current.length && step < spread.length; i++) {
      spread[step] += Entropy.of(current[i]);
      spreadRows[step]++;
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
    if (shown < current.length) {
      notePartial(
          "layer %d showed the rows of %d of %d positions; the others go around it"
              .formatted(mean.layer, shown, current.length));
    }
  }

  /**
   * Makes rows for all queries and keys of a layer; what no earlier layer showed goes around it.
   */
  private void grow(int first, HeadMean mean) {
    int old = current.length;
    int needed = mean.positions();
    if (needed <= old) {
      return;
    }
    if (step > 0) {
      notePartial(
          "layers before %d showed the rows of %d of %d positions; the others go around them"
              .formatted(mean.layer, old, needed));
    }
    current = Arrays.copyOf(current, needed);
    for (int i = old; i < needed; i++) {
      current[i] = new float[first + i + 1];
      current[i][first + i] = 1;
      for (int at = 1; at < Math.min(step, kept.size()); at++) {
        kept.get(at).add(current[i].clone());
      }
    }
    scratch = new float[first + needed];
  }

  /** Appends the pass's rows of R_step, the input of the coming layer, to that step's matrix. */
  private void keep(int at) {
    while (kept.size() <= at) {
      kept.add(new ArrayList<>());
    }
    if (at > 0) {
      for (float[] row : current) {
        kept.get(at).add(row.clone());
      }
    }
  }

  /** Puts row i of Â times the rows so far into {@link #scratch}; its length. */
  private int mix(float[] attention, int first, int i, List<float[]> before) {
    int q = first + i;
    double total = 0;
    for (float a : attention) {
      total += a;
    }
    float half = (float) (1 / (total + 1));
    Arrays.fill(scratch, 0);
    int length = Math.max(q + 1, attention.length);
    for (int j = 0; j < attention.length; j++) {
      float a = attention[j] * half + (j == q ? half : 0);
      if (a == 0) {
        continue;
      }
      if (j < first && step == 0) {
        scratch[j] += a;
      } else {
        float[] row = j < first ? before.get(j) : current[j - first];
        axpy(a, row);
        length = Math.max(length, row.length);
      }
    }
    return length;
  }

  private void axpy(float a, float[] row) {
    float[] target = scratch;
    for (int k = 0; k < row.length; k++) {
      target[k] += a * row[k];
    }
  }

  /** Ends a forward pass: its rows are final. */
  void endForward() {
    if (step > 0) {
      done.addAll(Arrays.asList(current));
      current = new float[0][];
    }
    step = 0;
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
