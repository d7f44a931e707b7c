package org.modeltracer.sparse;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What one layer selected for the last query that was measured.
 *
 * @param layer layer index
 * @param query its token position
 * @param selected positions of the selected keys, ascending
 * @param missed keys that are not selected and hold most of the attention over all keys, at most
 *     eight, the heaviest first; empty where that is not known
 */
public record MarkedQuery(int layer, int query, int[] selected, List<Missed> missed) {
  private static final int MISSED = 8;

  /**
   * A key that is not selected.
   *
   * @param position its token position
   * @param attention share of the attention over all keys, mean of the heads
   */
  public record Missed(int position, double attention) {}

  static MarkedQuery of(IndexedQuery query) {
    int[] selected = new int[query.keys];
    int count = 0;
    for (int i = 0; i < query.keys; i++) {
      if (query.selected[i]) {
        selected[count++] = query.positions[i];
      }
    }
    return new MarkedQuery(
        query.layer, query.position, Arrays.copyOf(selected, count), missed(query));
  }

  private static List<Missed> missed(IndexedQuery query) {
    float[] attention = query.attention;
    if (attention == null) {
      return List.of();
    }
    var rest = new float[query.keys];
    for (int i = 0; i < query.keys; i++) {
      rest[i] = query.selected[i] ? -1 : attention[i];
    }
    boolean[] most = SelectionMeasure.largest(rest, query.keys, MISSED);
    return IntStream.range(0, query.keys)
        .filter(i -> most[i] && rest[i] >= 0)
        .mapToObj(i -> new Missed(query.positions[i], attention[i]))
        .sorted(Comparator.comparingDouble(key -> -key.attention()))
        .toList();
  }
}
