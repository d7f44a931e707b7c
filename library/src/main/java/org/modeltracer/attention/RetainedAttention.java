package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.HeadId;

/**
 * Attention matrices of one sequence, kept for questions after the run, within a byte budget.
 *
 * <p>Rows are kept as float32; when they exceed the budget all become float16, and beyond that only
 * the largest weights of each row stay, 64 first, then half as many each time room is needed. When
 * even single weights do not fit, later rows are left out and counted. {@link #rest} says what a
 * row lost.
 */
public final class RetainedAttention {
  /** A key position and the weight on it. */
  public record Attended(int position, float weight) {}

  private final long budget;
  private final NavigableMap<HeadId, NavigableMap<Integer, KeptRow>> heads = new TreeMap<>();
  private KeptForm form = KeptForm.EXACT;
  private long bytes;
  private long leftOut;

  /** An empty store that holds at most this many bytes of weights. */
  public RetainedAttention(long budget) {
    this.budget = budget;
  }

  /**
   * Keeps one row; it is read only during the call.
   *
   * @throws IllegalArgumentException when the query sees a later key, as in encoders
   */
  public void row(AttentionRow row) {
    var head = new HeadId(row.layer(), row.head());
    if (!row.causal()) {
      throw new IllegalArgumentException(
          "position %d of %s attends to the later %d: only causal rows are kept"
              .formatted(row.query(), head, row.key(row.size() - 1)));
    }
    float[] weights = new float[row.query() + 1];
    for (int i = 0; i < row.size(); i++) {
      weights[row.key(i)] = row.weight(i);
    }
    KeptRow kept = KeptRow.of(weights, 0, form);
    while (bytes + kept.bytes() > budget && shrink()) {
      kept = KeptRow.of(weights, 0, form);
    }
    if (bytes + kept.bytes() > budget) {
      leftOut++;
      return;
    }
    KeptRow old = heads.computeIfAbsent(head, h -> new TreeMap<>()).put(row.query(), kept);
    bytes += kept.bytes() - (old == null ? 0 : old.bytes());
  }

  private boolean shrink() {
    KeptForm smaller = form.smaller();
    if (smaller == null) {
      return false;
    }
    form = smaller;
    bytes = 0;
    for (var rows : heads.values()) {
      rows.replaceAll((query, row) -> KeptRow.of(row.weights(query + 1), row.rest(), smaller));
      for (KeptRow row : rows.values()) {
        bytes += row.bytes();
      }
    }
    return true;
  }

  RetainedAttention copy() {
    var copy = new RetainedAttention(budget);
    heads.forEach((head, rows) -> copy.heads.put(head, new TreeMap<>(rows)));
    copy.form = form;
    copy.bytes = bytes;
    copy.leftOut = leftOut;
    return copy;
  }

  /** How rows are kept now: {@code f32}, {@code f16} or {@code top-k}. */
  public String precision() {
    return form.toString();
  }

  /** Whether every row is kept, with every weight exact. */
  public boolean whole() {
    return leftOut == 0 && form.equals(KeptForm.EXACT);
  }

  /** Bytes of weights held. */
  public long bytes() {
    return bytes;
  }

  /** Rows that found no room. */
  public long leftOut() {
    return leftOut;
  }

  /** Layers with at least one row, ascending. */
  public NavigableSet<Integer> layers() {
    return heads.keySet().stream()
        .map(HeadId::layer)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** Heads of a layer with at least one row, ascending. */
  public NavigableSet<Integer> heads(int layer) {
    var captured =
        heads.keySet().stream()
            .filter(id -> id.layer() == layer)
            .map(HeadId::head)
            .collect(Collectors.toCollection(TreeSet::new));
    if (captured.isEmpty()) {
      throw new IndexOutOfBoundsException(
          "layer " + layer + " was not captured; captured are " + layers());
    }
    return captured;
  }

  /** Whether a head has at least one row. */
  public boolean captured(int layer, int head) {
    return heads.containsKey(new HeadId(layer, head));
  }

  /** Query positions kept for a head, ascending. */
  public NavigableSet<Integer> positions(int layer, int head) {
    return new TreeSet<>(head(layer, head).keySet());
  }

  /** Weights of a position on keys 0 to itself, one head. */
  public float[] from(int layer, int head, int position) {
    return row(layer, head, position).weights(position + 1);
  }

  /** Weight of a position on keys that were given up to save room, in [0, 1]; 0 where none was. */
  public float rest(int layer, int head, int position) {
    return row(layer, head, position).rest();
  }

  /** Weights of a position on keys 0 to itself, averaged over the heads that have it. */
  public float[] from(int layer, int position) {
    float[] mean = new float[position + 1];
    int n = 0;
    for (int head : heads(layer)) {
      if (head(layer, head).containsKey(position)) {
        float[] row = from(layer, head, position);
        for (int j = 0; j <= position; j++) mean[j] += row[j];
        n++;
      }
    }
    if (n == 0) {
      throw new IndexOutOfBoundsException(
          "no head of layer " + layer + " has a row of position " + position);
    }
    for (int j = 0; j <= position; j++) mean[j] /= n;
    return mean;
  }

  /** Weights on a position by query, 0 where a query cannot see it or is not kept; one head. */
  public float[] to(int layer, int head, int position) {
    var rows = head(layer, head);
    int last = rows.lastKey();
    if (position < 0 || position > last) {
      throw new IndexOutOfBoundsException(
          "position "
              + position
              + " is not among the keys of "
              + new HeadId(layer, head)
              + ", 0 to "
              + last);
    }
    float[] column = new float[last + 1];
    rows.forEach(
        (query, row) -> {
          if (query >= position) column[query] = row.weight(position);
        });
    return column;
  }

  /** Weights on a position by query, averaged over all heads of the layer. */
  public float[] to(int layer, int position) {
    float[] mean = {};
    var captured = heads(layer);
    for (int head : captured) {
      float[] column = to(layer, head, position);
      if (mean.length < column.length) mean = Arrays.copyOf(mean, column.length);
      for (int q = 0; q < column.length; q++) mean[q] += column[q] / captured.size();
    }
    return mean;
  }

  /** The n largest weights of a position, one head, largest first. */
  public List<Attended> top(int layer, int head, int position, int n) {
    return largest(from(layer, head, position), n);
  }

  /** The n largest weights of a position, averaged over heads, largest first. */
  public List<Attended> top(int layer, int position, int n) {
    return largest(from(layer, position), n);
  }

  private static List<Attended> largest(float[] weights, int n) {
    return IntStream.range(0, weights.length)
        .mapToObj(j -> new Attended(j, weights[j]))
        .sorted(Comparator.comparingDouble(attended -> -attended.weight()))
        .limit(n)
        .toList();
  }

  /** Rows of a head in order of query, each {@code [query + 1]}. */
  public List<float[]> matrix(int layer, int head) {
    var rows = new ArrayList<float[]>();
    head(layer, head).forEach((query, row) -> rows.add(row.weights(query + 1)));
    return rows;
  }

  private NavigableMap<Integer, KeptRow> head(int layer, int head) {
    var rows = heads.get(new HeadId(layer, head));
    if (rows == null) {
      throw new IndexOutOfBoundsException(
          new HeadId(layer, head) + " was not captured; captured are heads " + heads(layer));
    }
    return rows;
  }

  private KeptRow row(int layer, int head, int position) {
    var rows = head(layer, head);
    KeptRow row = rows.get(position);
    if (row == null) {
      throw new IndexOutOfBoundsException(
          "position %d of %s was not captured; captured are %d to %d"
              .formatted(position, new HeadId(layer, head), rows.firstKey(), rows.lastKey()));
    }
    return row;
  }
}
