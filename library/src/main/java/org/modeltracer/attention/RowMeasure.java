package org.modeltracer.attention;

import java.util.Arrays;
import org.modeltracer.model.AttentionRow;

/**
 * All quantities of one row, computed in one pass over its weights and reused from row to row.
 *
 * <p>A quantity that a row does not define is NaN.
 */
final class RowMeasure {
  private static final double MOST = 0.95;

  private final AttentionOptions.Thresholds thresholds;
  private final WeightHistogram histogram = new WeightHistogram();
  private AttentionRow source = new AttentionRow();
  final double[] values = new double[Quantity.values().length];
  float[] weights = new float[256];
  int size;
  int layer;
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
    head = row.head();
    if (weights.length < size) {
      weights = new float[Math.max(size, 2 * weights.length)];
    }
    histogram.clear();
    Arrays.fill(values, Double.NaN);
    return size > 0 && pass(row, tokens);
  }

  /** The later of the query and the last key that it sees. */
  int last() {
    return Math.max(query, source.key(size - 1));
  }

  /** Position of the i-th visible key; its weight is {@code weights[i]}. */
  int key(int i) {
    return source.key(i);
  }

  private boolean pass(AttentionRow row, TokenTrack tokens) {
    double total = 0;
    double total2 = 0;
    double minusH = 0;
    double sinkTerm = 0;
    double self = 0;
    double previous = Double.NaN;
    double sink = Double.NaN;
    double distance = 0;
    double uniform = 0;
    double near = 0;
    double far = 0;
    double special = 0;
    double structural = 0;
    double inside = 0;
    int nearKeys = 0;
    int farKeys = 0;
    int specialKeys = 0;
    int structuralKeys = 0;
    int insideKeys = 0;
    int few = 0;
    int many = 0;
    float top = -1;
    int best = -1;
    int segment = tokens.segmentStart(query);
    float sparse = (float) thresholds.sparseBelow();
    float connected = (float) thresholds.connectedAbove();
    for (int i = 0; i < size; i++) {
      float w = row.weight(i);
      int key = row.key(i);
      int d = query - key;
      weights[i] = w;
      total += w;
      total2 += (double) w * w;
      double term = w > 0 ? w * FastLog.log(w) : 0;
      minusH += term;
      if (w > top) {
        top = w;
        best = key;
      }
      if (w < sparse) few++;
      else if (w > connected) many++;
      histogram.add(w);
      distance += (double) w * d;
      uniform += d;
      if (d == 0) self = w;
      else if (d == 1) previous = w;
      if (d >= 1 && d <= thresholds.localReach()) {
        near += w;
        nearKeys++;
      } else if (d > thresholds.globalBeyond()) {
        far += w;
        farKeys++;
      }
      TokenKind kind = tokens.kind(key);
      if (key == 0) {
        sink = w;
        sinkTerm = term;
        special += w;
        specialKeys++;
      } else if (kind == TokenKind.SPECIAL) {
        special += w;
        specialKeys++;
      }
      if (kind == TokenKind.STRUCTURAL) {
        structural += w;
        structuralKeys++;
      }
      if (segment >= 0 && tokens.segmentStart(key) == segment) {
        inside += w;
        insideKeys++;
      }
    }
    if (total - total != 0) {
      return false;
    }
    sum = total;
    squares = total2;
    below = few;
    above = many;
    max = top;
    argmax = best;
    double entropy = Math.max(0, -minusH);
    set(Quantity.ENTROPY, entropy);
    set(Quantity.CONCENTRATION, top);
    set(Quantity.SPARSITY, (double) few / size);
    set(Quantity.DISTANCE, distance);
    set(Quantity.SELF, self);
    if (size > 1) {
      set(Quantity.NORMALIZED_ENTROPY, Math.min(1, entropy / Math.log(size)));
      set(Quantity.RELATIVE_DISTANCE, uniform == 0 ? Double.NaN : distance * size / uniform);
      set(Quantity.LOCAL, near);
      set(Quantity.LOCAL_BASE, (double) nearKeys / size);
      set(Quantity.SPECIAL, special);
      set(Quantity.SPECIAL_BASE, (double) specialKeys / size);
      set(Quantity.PREVIOUS_TOKEN, previous);
      if (query > 0) set(Quantity.SINK, sink);
      if (farKeys > 0) {
        set(Quantity.GLOBAL, far);
        set(Quantity.GLOBAL_BASE, (double) farKeys / size);
      }
    }
    withoutSink(sink, -(minusH - sinkTerm));
    if (structuralKeys > 0 && structuralKeys < size) {
      set(Quantity.STRUCTURAL, structural);
      set(Quantity.STRUCTURAL_BASE, (double) structuralKeys / size);
    }
    if (insideKeys > 0 && insideKeys < size) {
      set(Quantity.INSIDE, inside);
      set(Quantity.INSIDE_BASE, (double) insideKeys / size);
    }
    set(Quantity.KEYS_FOR_95, histogram.needed(MOST * sum));
    set(Quantity.TAIL_MASS, Math.max(0, sum - histogram.largest(thresholds.tailAfter())));
    matches(tokens);
    return true;
  }

  private void set(Quantity quantity, double value) {
    values[quantity.ordinal()] = value;
  }

  /** H' = H_rest / s + ln s for a rest of mass s; undefined when the sink holds everything. */
  private void withoutSink(double sink, double restEntropy) {
    double rest = sink == sink ? sum - sink : sum;
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
    double total = 0;
    double entropy = 0;
    double distance = 0;
    for (int i = 0; i < size; i++) {
      int key = source.key(i);
      double w = (double) weights[i] * norms[key];
      total += w;
      distance += w * (query - key);
      if (w > 0) {
        entropy -= w * FastLog.log((float) w);
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
