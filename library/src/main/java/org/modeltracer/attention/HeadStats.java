package org.modeltracer.attention;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.AttentionRow;

/** Everything one head accumulates over its rows; sums and counts only, so that two merge. */
final class HeadStats {
  private static final Quantity[] QUANTITIES = Quantity.values();

  private final long[] count = new long[QUANTITIES.length];
  private final double[] sum = new double[QUANTITIES.length];
  private final double[] squares = new double[QUANTITIES.length];
  final PositionCounters positions;
  long rows;
  long badRows;
  long visible;
  long below;
  long connections;
  double weightSum;
  double weightSquares;
  double maxWeight;
  double inverseKeys;

  HeadStats(AttentionOptions options) {
    positions = new PositionCounters(options.maxPositions());
  }

  void add(RowMeasure row, AttentionRow window, float connectedAbove) {
    rows++;
    visible += row.size;
    below += row.below;
    connections += row.above;
    weightSum += row.sum;
    weightSquares += row.squares;
    if (row.size > 1) {
      maxWeight = Math.max(maxWeight, row.max);
      inverseKeys += 1.0 / row.size;
    }
    for (int i = 0; i < count.length; i++) {
      double value = row.values[i];
      if (value == value) {
        count[i]++;
        sum[i] += value;
        squares[i] += value * value;
      }
    }
    positions.add(row, window, connectedAbove);
  }

  void merge(HeadStats other) {
    rows += other.rows;
    badRows += other.badRows;
    visible += other.visible;
    below += other.below;
    connections += other.connections;
    weightSum += other.weightSum;
    weightSquares += other.weightSquares;
    maxWeight = Math.max(maxWeight, other.maxWeight);
    inverseKeys += other.inverseKeys;
    for (int i = 0; i < count.length; i++) {
      count[i] += other.count[i];
      sum[i] += other.sum[i];
      squares[i] += other.squares[i];
    }
    positions.merge(other.positions);
  }

  long count(Quantity quantity) {
    return count[quantity.ordinal()];
  }

  /** Mean of a quantity over the rows that define it, or null when none does. */
  @Nullable Measure measure(Quantity quantity) {
    int i = quantity.ordinal();
    if (count[i] == 0) {
      return null;
    }
    double mean = sum[i] / count[i];
    double variance = Math.max(0, squares[i] / count[i] - mean * mean);
    return new Measure(mean, Math.sqrt(variance), count[i]);
  }

  /** Mean of a quantity, NaN when no row defines it. */
  double mean(Quantity quantity) {
    return sum[quantity.ordinal()] / count[quantity.ordinal()];
  }

  /** Mean of a quantity, 0 when no row defines it. */
  double meanOrZero(Quantity quantity) {
    return count(quantity) == 0 ? 0 : mean(quantity);
  }

  /** Share of the visible keys of all rows below the sparsity threshold. */
  double sparsity() {
    return visible == 0 ? 0 : (double) below / visible;
  }

  /** Rows that see more than one key: those where a choice was possible. */
  long rowsWithChoice() {
    return count(Quantity.NORMALIZED_ENTROPY);
  }

  Map<String, Measure> measures() {
    var all = new LinkedHashMap<String, Measure>();
    for (Quantity quantity : QUANTITIES) {
      Measure measure = measure(quantity);
      if (measure != null) {
        all.put(quantity.id(), measure);
      }
    }
    return all;
  }
}
