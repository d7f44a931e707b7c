package org.modeltracer.attention;

import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Sums over the rows of one head, or of several together; they add up and merge. */
public final class RowTotals {
  private static final Quantity[] QUANTITIES = Quantity.values();

  private final long[] count = new long[QUANTITIES.length];
  private final double[] sum = new double[QUANTITIES.length];
  private final double[] squares = new double[QUANTITIES.length];
  private long rows;
  private long badRows;
  private long visible;
  private long below;
  private long connections;
  private double weightSum;
  private double weightSquares;
  private double maxWeight;
  private double inverseKeys;

  void addBad() {
    badRows++;
  }

  void add(RowMeasure row) {
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
  }

  RowTotals merge(RowTotals other) {
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
    return this;
  }

  /** Rows seen whose weights are all finite. */
  public long rows() {
    return rows;
  }

  /** Rows left out because a weight was not finite. */
  public long badRows() {
    return badRows;
  }

  /** Rows that see more than one key: those where a choice was possible. */
  public long rowsWithChoice() {
    return count(Quantity.NORMALIZED_ENTROPY);
  }

  /** Chance that a row with a choice picks one given key at random: the mean of 1 / k. */
  public double chanceOfOneKey() {
    return inverseKeys / rowsWithChoice();
  }

  /** Weights above the significance threshold. */
  public long connections() {
    return connections;
  }

  /** Largest weight of any row with a choice. */
  public double maxWeight() {
    return maxWeight;
  }

  /** Mean weight of visible keys. */
  public double meanWeight() {
    return weightSum / Math.max(1, visible);
  }

  /** Variance of the weights of visible keys. */
  public double weightVariance() {
    double mean = meanWeight();
    return Math.max(0, weightSquares / Math.max(1, visible) - mean * mean);
  }

  /** Share of the visible keys of all rows below the sparsity threshold. */
  public double sparsity() {
    return visible == 0 ? 0 : (double) below / visible;
  }

  /** Rows that define a quantity. */
  public long count(Quantity quantity) {
    return count[quantity.ordinal()];
  }

  /** Mean of a quantity over the rows that define it, or null when none does. */
  public @Nullable Measure measure(Quantity quantity) {
    int i = quantity.ordinal();
    return count[i] == 0 ? null : Measure.of(count[i], sum[i], squares[i]);
  }

  /** Mean of a quantity, NaN when no row defines it. */
  public double mean(Quantity quantity) {
    return sum[quantity.ordinal()] / count[quantity.ordinal()];
  }

  /** Mean of a quantity, 0 when no row defines it. */
  public double meanOrZero(Quantity quantity) {
    return count(quantity) == 0 ? 0 : mean(quantity);
  }

  /** Every quantity that some row defines. */
  public Map<Quantity, Measure> measures() {
    var all = new EnumMap<Quantity, Measure>(Quantity.class);
    for (Quantity quantity : QUANTITIES) {
      Measure measure = measure(quantity);
      if (measure != null) {
        all.put(quantity, measure);
      }
    }
    return all;
  }
}
