package org.modeltracer.attention;

import org.modeltracer.kernels.Kernels;
import org.modeltracer.kernels.RowSums;

/** Sums over head-averaged rows and rollout rows of all prompts; two merge. */
final class RolloutTotals {
  private final RowSums sums = new RowSums();
  private long pairs;
  private double weight;
  private double largest;
  private long rows;
  private double entropy;
  private double concentration;
  private long rolloutRows;
  private double rolloutEntropy;
  private double rolloutLargest;
  private long cut;

  /** Adds the head-averaged rows of a layer. */
  void add(HeadMean mean) {
    for (int i = 0; i < mean.size; i++) {
      if (!mean.known(i)) continue;
      Kernels.chosen().row(mean.row(i), mean.length(i), sums);
      weight += sums.sum();
      pairs += mean.keys(i);
      if (mean.keys(i) > 1) {
        largest = Math.max(largest, sums.max());
        rows++;
        concentration += sums.max();
        entropy += Math.max(0, sums.entropy());
      }
    }
  }

  /** Adds a position's final row of a rollout. */
  void add(int position, float[] rollout) {
    Kernels.chosen().row(rollout, rollout.length, sums);
    rolloutRows++;
    rolloutEntropy += Math.max(0, sums.entropy());
    for (int j = 0; j < rollout.length; j++) {
      if (j != position) {
        rolloutLargest = Math.max(rolloutLargest, rollout[j]);
      }
    }
  }

  /** Notes that the rollout of a prompt is not whole. */
  void cut() {
    cut++;
  }

  void merge(RolloutTotals other) {
    pairs += other.pairs;
    weight += other.weight;
    largest = Math.max(largest, other.largest);
    rows += other.rows;
    entropy += other.entropy;
    concentration += other.concentration;
    rolloutRows += other.rolloutRows;
    rolloutEntropy += other.rolloutEntropy;
    rolloutLargest = Math.max(rolloutLargest, other.rolloutLargest);
    cut += other.cut;
  }

  /** The means so far. */
  RolloutMeans means() {
    return new RolloutMeans(
        pairs == 0 ? null : (Double) (weight / pairs),
        rows == 0 ? null : (Double) largest,
        rows == 0 ? null : (Double) (entropy / rows),
        rows == 0 ? null : (Double) (concentration / rows),
        rolloutRows == 0 ? null : (Double) rolloutLargest,
        rolloutRows == 0 ? null : (Double) (rolloutEntropy / rolloutRows),
        rolloutRows,
        cut);
  }
}
