package org.modeltracer.sparse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Computes the scores of some queries again, each time without one of the usual mistakes. */
final class PortTrial {
  private static final int SAMPLED = 64;
  private static final int LEAST_QUERIES = 16;
  private static final double LEAST_GAIN = 0.02;
  private static final double LEAST_CLOSED = 0.5;
  private static final double LEAST_SIGNIFICANCE = 3;

  private final MeanSum recall = new MeanSum();
  private final MeanSum best = new MeanSum();
  private final Map<PortMistake, MeanSum> recalls = new EnumMap<>(PortMistake.class);
  private final Map<PortMistake, MeanSum> gains = new EnumMap<>(PortMistake.class);
  private @Nullable String untried;
  private @Nullable IndexVectors vectors;
  private @Nullable Rotary rotary;
  private int[] cellPositions = {};
  private boolean prepared;
  private float[] plainKeys = {};
  private float[] otherKeys = {};
  private float[] turnedKeys = {};
  private float[] query = {};
  private float[] scores = {};
  private int stride = 1;
  private int next;

  /**
   * A layer's queries follow.
   *
   * @param of its indexer's vectors, null where they are not known
   */
  void begin(SparseLayer layer, @Nullable IndexVectors of, int[] positions) {
    vectors = layer.compressed() ? null : of;
    prepared = false;
    next = 0;
    if (of == null || vectors == null) {
      untried =
          of == null
              ? "the graph has no indexer whose vectors could be read"
              : "the graph does not show the positions of compressed keys";
      return;
    }
    stride = Math.max(1, of.queries().rows() / SAMPLED);
    rotary = layer.rotary();
    cellPositions = positions;
  }

  /** Computes keys without their rotations, when there is a query to try. */
  private void prepare(IndexVectors of) {
    prepared = true;
    Vectors keys = of.keys();
    scores = new float[keys.rows()];
    query = new float[of.queries().width()];
    float[] turn = of.turn();
    untried =
        rotary == null
            ? "rotary positions: the graph shows none of a known kind"
            : turn.length == 0 ? "the Hadamard rotation: the graph shows none" : null;
    turnedKeys = turn.length == 0 ? new float[0] : turned(keys);
    plainKeys = new float[0];
    otherKeys = new float[0];
    if (rotary != null) {
      plainKeys = turnedKeys.length > 0 ? turnedKeys.clone() : keys.values().clone();
      for (int c = 0; c < keys.rows(); c++) {
        rotary.undo(plainKeys, keys.at(c, 0), Math.max(0, cellPositions[c]));
      }
      otherKeys = plainKeys.clone();
      for (int c = 0; c < keys.rows(); c++) {
        rotary.otherLayout().apply(otherKeys, keys.at(c, 0), Math.max(0, cellPositions[c]));
      }
    }
  }

  /** Keys without their Hadamard rotation. */
  private float[] turned(Vectors keys) {
    var all = new float[keys.rows() * keys.width()];
    for (int c = 0; c < keys.rows(); c++) {
      turnBack(keys.values(), keys.at(c, 0), all, keys.at(c, 0));
    }
    return all;
  }

  private void turnBack(float[] from, int at, float[] to, int target) {
    IndexVectors known = vectors;
    if (known == null) {
      return;
    }
    float[] turn = known.turn();
    int width = known.queries().width();
    for (int j = 0; j < width; j++) {
      double sum = 0;
      for (int i = 0; i < width; i++) {
        sum += turn[i * width + j] * (double) from[at + i];
      }
      to[target + j] = (float) sum;
    }
  }

  /** Tries a query. */
  void add(IndexedQuery q) {
    IndexVectors known = vectors;
    float[] attention = q.attention;
    if (known == null || attention == null || q.row < next) {
      return;
    }
    next = q.row + stride;
    if (!prepared) {
      prepare(known);
    }
    double now = 0;
    int selected = 0;
    for (int i = 0; i < q.keys; i++) {
      now += q.selected[i] ? attention[i] : 0;
      selected += q.selected[i] ? 1 : 0;
    }
    recall.add(now);
    best.add(SelectionMeasure.mass(attention, attention, q.keys, selected));
    for (PortMistake mistake : PortMistake.values()) {
      if (score(known, q, mistake)) {
        double undone = SelectionMeasure.mass(attention, scores, q.keys, selected);
        recalls.computeIfAbsent(mistake, m -> new MeanSum()).add(undone);
        gains.computeIfAbsent(mistake, m -> new MeanSum()).add(undone - now);
      }
    }
  }

  /** Computes the scores of a query without a mistake; false where that cannot be done. */
  private boolean score(IndexVectors known, IndexedQuery q, PortMistake mistake) {
    Arrays.fill(scores, 0, q.keys, 0);
    for (int h = 0; h < known.heads(); h++) {
      float[] keys = keys(known, q, h, mistake);
      if (keys.length == 0) {
        return false;
      }
      float weight = mistake == PortMistake.HEAD_WEIGHTS ? 1 : known.weight(q.row, h);
      for (int i = 0; i < q.keys; i++) {
        double product = Vectors.dot(query, 0, keys, known.keys().at(q.cells[i], 0), query.length);
        double cut = mistake == PortMistake.RELU ? product : Math.max(0, product);
        scores[i] += (float) (weight * cut);
      }
    }
    return true;
  }

  /** Puts the vector of a head into {@link #query}; returns the keys that go with it. */
  private float[] keys(IndexVectors known, IndexedQuery q, int head, PortMistake mistake) {
    int at = known.queries().at(q.row, head);
    System.arraycopy(known.queries().values(), at, query, 0, query.length);
    return switch (mistake) {
      case RELU, HEAD_WEIGHTS -> known.keys().values();
      case HADAMARD -> turnedKeys;
      case ROTARY_LAYOUT -> {
        Rotary turn = plain(known, q, head);
        if (turn == null) {
          yield new float[0];
        }
        turn.otherLayout().apply(query, 0, q.position);
        yield otherKeys;
      }
      case POSITION_LATER, POSITION_EARLIER -> {
        Rotary turn = plain(known, q, head);
        if (turn == null) {
          yield new float[0];
        }
        turn.apply(query, 0, q.position + (mistake == PortMistake.POSITION_LATER ? 1 : -1));
        yield turnedKeys.length > 0 ? turnedKeys : known.keys().values();
      }
      case SCALE -> new float[0];
    };
  }

  /** Takes the query's rotations back; null where they are not known. */
  private @Nullable Rotary plain(IndexVectors known, IndexedQuery q, int head) {
    Rotary turn = rotary;
    if (turn != null) {
      if (turnedKeys.length > 0) {
        turnBack(known.queries().values(), known.queries().at(q.row, head), query, 0);
      }
      turn.undo(query, 0, q.position);
    }
    return turn;
  }

  /**
   * What explains more attention mass.
   *
   * @param scale whether the scores are off by a factor only
   */
  @Nullable PortDiagnosis diagnosis(boolean scale, @Nullable Double recallNow) {
    Double now = recall.mean();
    if (now == null) {
      return null;
    }
    var trials = new ArrayList<PortDiagnosis.Trial>();
    gains.forEach(
        (mistake, gain) ->
            trials.add(
                new PortDiagnosis.Trial(
                    mistake,
                    Objects.requireNonNull(recalls.get(mistake)).orZero(),
                    gain.orZero(),
                    gain.significance())));
    double least = Math.max(LEAST_GAIN, LEAST_CLOSED * (best.orZero() - now));
    PortDiagnosis.Trial found =
        trials.stream()
            .filter(t -> t.gain() >= least && t.significance() >= LEAST_SIGNIFICANCE)
            .max(Comparator.comparingDouble(PortDiagnosis.Trial::gain))
            .filter(t -> recall.count() >= LEAST_QUERIES)
            .orElse(null);
    boolean scaled = found == null && scale && recall.count() >= LEAST_QUERIES;
    return new PortDiagnosis(
        recall.count(),
        now,
        found != null ? found.mistake() : scaled ? PortMistake.SCALE : null,
        found != null ? Double.valueOf(found.recall()) : scaled ? recallNow : null,
        List.copyOf(trials),
        untried);
  }

  void merge(PortTrial other) {
    recall.merge(other.recall);
    best.merge(other.best);
    untried = untried == null ? other.untried : untried;
    other.recalls.forEach((m, s) -> recalls.computeIfAbsent(m, x -> new MeanSum()).merge(s));
    other.gains.forEach((m, s) -> gains.computeIfAbsent(m, x -> new MeanSum()).merge(s));
  }
}
