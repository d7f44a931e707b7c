package org.modeltracer.attention;

import java.util.Arrays;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.kernels.RowSums;
import org.modeltracer.model.AttentionRow;

/**
 * All quantities of one row, from its sums and from ranges of its keys; reused from row to row.
 *
 * <p>A quantity that a row does not define is NaN.
 */
final class RowMeasure {
  private static final double MOST = 0.95;

  private final AttentionOptions.Thresholds thresholds;
  private final WeightsBySize bySize = new WeightsBySize();
  private final float few;
  private final float many;
  private AttentionRow source = new AttentionRow();
  private Kernels kernels = Kernels.chosen();
  final double[] values = new double[Quantity.values().length];
  float[] weights = {};
  private final RowSums norm = new RowSums();
  private float[] weighted = {};
  int size;
  int layer;
  int lane;
  int head;
  int query;
  double sum;
  double squares;
  int below;
  int above;
  float max;
  int argmax;

  RowMeasure(AttentionOptions.Thresholds thresholds) {
    this.thresholds = thresholds;
    few = (float) thresholds.sparseBelow();
    many = Math.nextUp((float) thresholds.connectedAbove());
  }

  /**
   * Measures a row, which must stay as it is while this is read; false when a weight is not finite,
   * and then nothing else may be used.
   */
  boolean read(AttentionRow row, TokenTrack tokens) {
    source = row;
    size = row.size();
    query = row.query();
    layer = row.layer();
    lane = row.lane();
    head = row.head();
    weights = row.weights();
    kernels = Kernels.chosen();
    Arrays.fill(values, Double.NaN);
    return size > 0 && measure(row.sums(), tokens);
  }

  /** The later of the query and the last key that it sees. */
  int last() {
    return Math.max(query, source.key(size - 1));
  }

  /** Position of the i-th visible key; its weight is {@code weights[i]}. */
  int key(int i) {
    return source.key(i);
  }

  /** Whether its keys follow each other. */
  boolean adjacent() {
    return source.adjacent();
  }

  private boolean measure(RowSums sums, TokenTrack tokens) {
    sum = sums.sum();
    if (sum - sum != 0) {
      return false;
    }
    squares = sums.squares();
    max = sums.max();
    argmax = sums.argmax() < 0 ? -1 : key(sums.argmax());
    below = kernels.below(weights, size, few);
    above = size - kernels.below(weights, size, many);
    double entropy = Math.max(0, sums.entropy());
    set(Quantity.ENTROPY, entropy);
    set(Quantity.CONCENTRATION, max);
    set(Quantity.SPARSITY, (double) below / size);
    double uniform = distances(sums);
    int self = source.indexOf(query);
    int previous = source.indexOf(query - 1);
    int sink = source.indexOf(0);
    set(Quantity.SELF, self < 0 ? 0 : weights[self]);
    if (size > 1) {
      set(Quantity.NORMALIZED_ENTROPY, Math.min(1, entropy / Math.log(size)));
      double distance = values[Quantity.DISTANCE.ordinal()];
      set(Quantity.RELATIVE_DISTANCE, uniform == 0 ? Double.NaN : distance * size / uniform);
      share(Quantity.LOCAL, Quantity.LOCAL_BASE, query - thresholds.localReach(), query, false);
      share(Quantity.GLOBAL, Quantity.GLOBAL_BASE, 0, query - thresholds.globalBeyond(), true);
      set(Quantity.PREVIOUS_TOKEN, previous < 0 ? Double.NaN : weights[previous]);
      if (query > 0) set(Quantity.SINK, sink < 0 ? Double.NaN : weights[sink]);
      special(tokens, sink);
    }
    withoutSink(sink < 0 ? Double.NaN : weights[sink], sums.entropy());
    kinds(tokens);
    bySize.read(weights, size, max);
    set(Quantity.KEYS_FOR_95, bySize.needed(MOST * sum));
    set(Quantity.TAIL_MASS, Math.max(0, sum - bySize.largest(thresholds.tailAfter())));
    matches(tokens);
    return true;
  }

  /** Sets the distance; returns the sum of all keys' distances. */
  private double distances(RowSums sums) {
    if (source.adjacent()) {
      double first = (double) query - key(0);
      set(Quantity.DISTANCE, first * sum - sums.moment());
      return size * (first - (size - 1) / 2.0);
    }
    double distance = 0;
    double uniform = 0;
    for (int i = 0; i < size; i++) {
      int d = query - key(i);
      distance += (double) weights[i] * d;
      uniform += d;
    }
    set(Quantity.DISTANCE, distance);
    return uniform;
  }

  /**
   * Sets the mass on the keys from one position to before another, and what it would be were all
   * keys alike.
   *
   * @param some whether the quantity is defined only where there are such keys
   */
  private void share(Quantity quantity, Quantity base, int from, int to, boolean some) {
    int first = source.lower(from);
    int end = Math.max(first, source.lower(to));
    if (end > first || !some) {
      set(quantity, kernels.sum(weights, first, end));
      set(base, (double) (end - first) / size);
    }
  }

  private void special(TokenTrack tokens, int sink) {
    double mass = sink < 0 ? 0 : weights[sink];
    int keys = sink < 0 ? 0 : 1;
    int[] positions = tokens.positions(TokenKind.SPECIAL);
    for (int i = 0; i < tokens.count(TokenKind.SPECIAL); i++) {
      int at = positions[i] == 0 ? -1 : source.indexOf(positions[i]);
      if (at >= 0) {
        mass += weights[at];
        keys++;
      }
    }
    set(Quantity.SPECIAL, mass);
    set(Quantity.SPECIAL_BASE, (double) keys / size);
  }

  private void kinds(TokenTrack tokens) {
    double mass = 0;
    int keys = 0;
    int[] positions = tokens.positions(TokenKind.STRUCTURAL);
    for (int i = 0; i < tokens.count(TokenKind.STRUCTURAL); i++) {
      int at = source.indexOf(positions[i]);
      if (at >= 0) {
        mass += weights[at];
        keys++;
      }
    }
    if (keys > 0 && keys < size) {
      set(Quantity.STRUCTURAL, mass);
      set(Quantity.STRUCTURAL_BASE, (double) keys / size);
    }
    int segment = tokens.segmentStart(query);
    if (segment >= 0) {
      int first = source.lower(segment);
      int end = source.lower(tokens.segmentEnd(query));
      if (end > first && end - first < size) {
        set(Quantity.INSIDE, kernels.sum(weights, first, end));
        set(Quantity.INSIDE_BASE, (double) (end - first) / size);
      }
    }
  }

  private void set(Quantity quantity, double value) {
    values[quantity.ordinal()] = value;
  }

  /** H' = H_rest / s + ln s for a rest of mass s; undefined when the sink holds everything. */
  private void withoutSink(double sink, double entropy) {
    double rest = sink == sink ? sum - sink : sum;
    double restEntropy = sink > 0 ? entropy + sink * Math.log(sink) : entropy;
    if (size > 2 && rest > 1e-6) {
      set(Quantity.ENTROPY_WITHOUT_SINK, Math.max(0, restEntropy / rest + Math.log(rest)));
    }
  }

  /** What the row does with earlier copies in sight: keys that a window hides count nowhere. */
  private void matches(TokenTrack tokens) {
    int latest = tokens.earlier(query);
    if (latest < 0) {
      return;
    }
    set(Quantity.DUPLICATE_TOKEN, weightAt(latest));
    set(Quantity.INDUCTION, latest + 1 < query ? weightAt(latest + 1) : Double.NaN);
    double copies = Double.NaN;
    double followers = Double.NaN;
    boolean comesNext = false;
    boolean hit = false;
    int next = tokens.id(query + 1);
    for (int copy = latest; copy >= 0; copy = tokens.earlier(copy)) {
      copies = plus(copies, weightAt(copy));
      int follower = copy + 1;
      double weight = follower < query ? weightAt(follower) : Double.NaN;
      followers = plus(followers, weight);
      if (next >= 0 && weight == weight && tokens.id(follower) == next) {
        comesNext = true;
        hit |= argmax == follower;
      }
    }
    set(Quantity.COPIES, copies);
    set(Quantity.FOLLOWERS, followers);
    if (comesNext) {
      set(Quantity.RETRIEVAL, hit ? 1 : 0);
    }
  }

  /** A sum of which NaN is no part. */
  private static double plus(double sum, double value) {
    return value != value ? sum : sum == sum ? sum + value : value;
  }

  /** Weight of a key, NaN when the row does not see it. */
  double weightAt(int position) {
    int i = source.indexOf(position);
    return i < 0 ? Double.NaN : weights[i];
  }

  /** Adds the norm-weighted quantities; {@code norms} holds ‖f(x_j)‖ by key position. */
  void normWeighted(float[] norms) {
    if (size < 2 || source.key(size - 1) >= norms.length) {
      return;
    }
    if (weighted.length < size) {
      weighted = new float[Math.max(size, 2 * weighted.length)];
    }
    int first = source.key(0);
    if (source.adjacent()) {
      for (int i = 0; i < size; i++) {
        weighted[i] = weights[i] * norms[first + i];
      }
    } else {
      for (int i = 0; i < size; i++) {
        weighted[i] = weights[i] * norms[source.key(i)];
      }
    }
    kernels.row(weighted, size, norm);
    double total = norm.sum();
    double entropy = norm.entropy();
    double distance = 0;
    if (source.adjacent()) {
      distance = ((double) query - first) * total - norm.moment();
    } else {
      for (int i = 0; i < size; i++) {
        distance += (double) weighted[i] * (query - source.key(i));
      }
    }
    if (total > 0 && total - total == 0) {
      set(Quantity.NORM_WEIGHTED_ENTROPY, Math.max(0, entropy / total + Math.log(total)));
      set(Quantity.NORM_WEIGHTED_DISTANCE, distance / total);
      if (source.key(0) == 0) {
        set(Quantity.NORM_WEIGHTED_SINK, weights[0] * norms[0] / total);
      }
    }
  }
}
