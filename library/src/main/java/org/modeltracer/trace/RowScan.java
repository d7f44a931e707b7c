package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.List;
import org.modeltracer.kernels.RowSums;
import org.modeltracer.model.AttentionRow;

/** One pass over a row of attention; reused from row to row. */
final class RowScan {
  /** The query itself and the three positions before it are recent. */
  static final int RECENT = 4;

  private final TopK top;
  private final double threshold;
  double sum;
  double entropy;
  double max;
  int favourite;
  double recency;
  double sink;

  RowScan(int topK, double threshold) {
    top = new TopK(topK);
    this.threshold = threshold;
  }

  void scan(AttentionRow row) {
    RowSums sums = row.sums();
    sum = sums.sum();
    // A weight rounded to just above 1 takes a little away.
    entropy = Math.max(0, sums.entropy());
    max = sums.max();
    favourite = sums.argmax();
    recency = 0;
    for (int i = row.size() - 1; i >= 0 && row.key(i) > row.query() - RECENT; i--) {
      recency += Math.max(0, row.weight(i));
    }
    int first = row.indexOf(0);
    sink = first < 0 ? 0 : row.weight(first);
  }

  /** Entropy over ln k, at most 1; NaN when only one key is visible. */
  double normalized(int keys) {
    return keys < 2 ? Double.NaN : Math.min(1, entropy / Math.log(keys));
  }

  /** The row scanned last, to be kept. */
  AttentionWeightTrace trace(AttentionRow row, double uniformLimit) {
    top.clear();
    for (int i = 0; i < row.size(); i++) {
      if (row.weight(i) > 0) {
        top.offer(i, row.weight(i));
      }
    }
    List<Integer> positions = new ArrayList<>(top.size());
    List<Double> weights = new ArrayList<>(top.size());
    double listed = 0;
    for (int i = 0; i < top.size() && top.value(i) >= threshold; i++) {
      positions.add(row.key(top.index(i)));
      weights.add(top.value(i));
      listed += top.value(i);
    }
    double normalized = normalized(row.size());
    return new AttentionWeightTrace(
        row.layer(),
        row.head(),
        row.query(),
        row.size(),
        positions,
        weights,
        Math.max(0, sum - listed),
        entropy,
        normalized,
        sink,
        normalized > uniformLimit,
        recency);
  }
}
