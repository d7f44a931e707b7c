package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.Measure;
import org.modeltracer.attention.SampledQuery;

/**
 * Whether a head keeps to text segments, beyond what its distances alone do.
 *
 * <p>A head that prefers near keys has much of its mass inside whatever the segments are. So the
 * mass of a row on its m keys inside is compared with the mass that its neighbours, up to 16 rows
 * of the sample on either side and as many on both, put on their own m nearest keys. Where segments
 * mean nothing, the two are alike; the differences, summed by segment, are tested for a mean above
 * 0 (Student's t over segments).
 *
 * @param inside mean mass inside the query's segment
 * @param explained mean mass of the neighbours on as many keys
 * @param pValue chance of differences this large
 * @param segments segments behind it, 5 at least
 * @param rows rows behind it
 */
record SegmentTest(double inside, double explained, double pValue, int segments, int rows) {
  private static final int FEWEST_SEGMENTS = 5;
  private static final int FEWEST_NEIGHBOURS = 4;
  private static final int MOST_NEIGHBOURS = 16;

  /** One row: its mass on the nearest 0, 1, 2, … keys. */
  private record Row(SampledQuery query, double[] nearest, int first) {
    static Row of(SampledQuery query, float[] weights) {
      int first = 0;
      while (Float.isNaN(weights[first])) {
        first++;
      }
      double[] nearest = new double[weights.length - first + 1];
      for (int m = 1; m < nearest.length; m++) {
        nearest[m] = nearest[m - 1] + weights[weights.length - m];
      }
      return new Row(query, nearest, first);
    }

    /** Keys of the row's own segment; 0 when it sees no others, or the segment is not known. */
    int keys() {
      int start = query.segmentStart();
      return start > first ? query.position() - start + 1 : 0;
    }

    double onNearest(int keys) {
      return nearest[Math.min(keys, nearest.length - 1)];
    }
  }

  /** The test of a head; empty when too few rows see beyond their segment. */
  static Optional<SegmentTest> of(CollectedHead head, List<SampledQuery> sample) {
    var prompts = new TreeMap<Long, List<Row>>();
    for (SampledQuery query : sample) {
      if (query.has(head)) {
        prompts
            .computeIfAbsent(query.prompt(), id -> new ArrayList<>())
            .add(Row.of(query, query.of(head)));
      }
    }
    Map<List<Long>, Double> beyond = new LinkedHashMap<>();
    double inside = 0;
    double explained = 0;
    int count = 0;
    for (List<Row> rows : prompts.values()) {
      rows.sort(Comparator.comparingInt(row -> row.query().position()));
      for (int i = 0; i < rows.size(); i++) {
        Row row = rows.get(i);
        int keys = row.keys();
        int reach = Math.min(MOST_NEIGHBOURS, Math.min(i, rows.size() - 1 - i));
        if (keys == 0 || reach < FEWEST_NEIGHBOURS) {
          continue;
        }
        double around = 0;
        for (int d = 1; d <= reach; d++) {
          around += rows.get(i - d).onNearest(keys) + rows.get(i + d).onNearest(keys);
        }
        around /= 2.0 * reach;
        double own = row.onNearest(keys);
        beyond.merge(
            List.of(row.query().prompt(), (long) row.query().segmentStart()),
            own - around,
            Double::sum);
        inside += own;
        explained += around;
        count++;
      }
    }
    if (beyond.size() < FEWEST_SEGMENTS) {
      return Optional.empty();
    }
    return Optional.of(
        new SegmentTest(
            inside / count,
            explained / count,
            Significance.meanAbove(Measure.of(List.copyOf(beyond.values())), 0),
            beyond.size(),
            count));
  }
}
