package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Sums over head-averaged rows and rollout rows of all prompts; two merge. */
final class RolloutTotals {
  private long prompts;
  private long pairs;
  private double weight;
  private double largest;
  private long rows;
  private double entropy;
  private double concentration;
  private long rolloutRows;
  private double rolloutEntropy;
  private double rolloutLargest;

  void beginPrompt() {
    prompts++;
  }

  /** Adds the head-averaged rows of a layer. */
  void add(HeadMean mean) {
    for (int i = 0; i < mean.size; i++) {
      if (!mean.known(i)) continue;
      float[] row = mean.row(i);
      double max = 0;
      for (float a : row) {
        weight += a;
        max = Math.max(max, a);
      }
      pairs += row.length;
      if (row.length > 1) {
        largest = Math.max(largest, max);
        rows++;
        concentration += max;
        entropy += Rollout.entropy(row);
      }
    }
  }

  /** Adds a final row of a rollout. */
  void add(float[] rollout) {
    rolloutRows++;
    rolloutEntropy += Rollout.entropy(rollout);
    for (int j = 0; j < rollout.length - 1; j++) {
      rolloutLargest = Math.max(rolloutLargest, rollout[j]);
    }
  }

  void merge(RolloutTotals other) {
    prompts += other.prompts;
    pairs += other.pairs;
    weight += other.weight;
    largest = Math.max(largest, other.largest);
    rows += other.rows;
    entropy += other.entropy;
    concentration += other.concentration;
    rolloutRows += other.rolloutRows;
    rolloutEntropy += other.rolloutEntropy;
    rolloutLargest = Math.max(rolloutLargest, other.rolloutLargest);
  }

  long prompts() {
    return prompts;
  }

  RolloutAttribution attribution(@Nullable PromptTrace example) {
    if (example == null || rolloutRows == 0) {
      return null == example
          ? RolloutAttribution.absent("no prompt was traced")
          : RolloutAttribution.absent(
              Objects.requireNonNullElse(
                  example.rollout.stopped(), "no row of attention was traced"));
    }
    List<RolloutAttribution.Token> tokens = new ArrayList<>();
    int last = example.rollout.positions() - 1;
    if (last >= 0) {
      float[] row = example.rollout.row(last);
      double[] uniform = Rollout.uniformRow(last, example.rollout.depth());
      for (int j = 0; j <= last; j++) {
        tokens.add(
            new RolloutAttribution.Token(j, example.tokens.text(j), row[j], row[j] - uniform[j]));
      }
    }
    return new RolloutAttribution(
        pairs == 0 ? null : (Double) (weight / pairs),
        rows == 0 ? null : (Double) largest,
        rows == 0 ? null : (Double) (entropy / rows),
        rows == 0 ? null : (Double) (concentration / rows),
        rolloutLargest,
        rolloutEntropy / rolloutRows,
        prompts,
        last + 1,
        rolloutRows,
        tokens,
        example.rollout.stopped());
  }
}
