package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.AttentionCollector;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.TokenTrack;

class RolloutAttributionTest {
  /** Against Â³, multiplied out. */
  @Test
  void uniformRolloutInLinearTimeIsThatOfUniformMatrices() {
    int n = 17;
    double[][] mixed = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j <= i; j++) mixed[i][j] = 0.5 / (i + 1) + (i == j ? 0.5 : 0);
    }
    double[][] cube = times(mixed, times(mixed, mixed));
    for (int q = 0; q < n; q++) {
      double[] row = RolloutAttribution.uniform(q, 3);
      for (int j = 0; j <= q; j++) {
        assertThat(row[j]).isEqualTo(cube[q][j], within(1e-12));
      }
    }
  }

  /** Against Â³, multiplied out. */
  @Test
  void uniformRolloutBothWaysIsThatOfUniformMatrices() {
    int n = 9;
    double[][] mixed = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) mixed[i][j] = 0.5 / n + (i == j ? 0.5 : 0);
    }
    double[][] cube = times(mixed, times(mixed, mixed));
    for (int q = 0; q < n; q++) {
      assertThat(RolloutAttribution.uniform(q, 3, n)).containsExactly(cube[q], within(1e-12));
    }
  }

  @Test
  void whatIsMissingIsSaid() {
    var attention = Matrices.random(2, 2, 10, new Random(5), 1);
    assertThat(Reported.of(Matrices.collect(tokens(10), attention)).rollout().reason()).isNull();
    // A token that was chosen last has no row.
    assertThat(Reported.of(Matrices.collect(tokens(11), attention)).rollout().reason()).isNull();
    assertThat(Reported.of(Matrices.collect(tokens(12), attention)).rollout().reason())
        .isEqualTo("it is of the first 10 of 12 tokens, the others showed no row");
    var three = new AttentionCollector(Matrices.shape(3, 2), AttentionOptions.defaults());
    three.beginPrompt(0, 1, tokens(10));
    Matrices.feed(three, attention, 0, 10);
    assertThat(Reported.of(three).rollout().reason())
        .isEqualTo("it goes through the 2 of 3 layers that showed attention");
    // The example prompt is one of these two; it is whole in one of these orders.
    var reasons = new TreeSet<String>();
    for (long whole = 0; whole < 2; whole++) {
      var collector = new AttentionCollector(Matrices.shape(2, 2), AttentionOptions.defaults());
      collector.beginPrompt(0, whole, tokens(10));
      Matrices.feed(collector, attention, 0, 10);
      collector.beginPrompt(1, 1 - whole, tokens(10));
      Matrices.feed(collector, 1, Matrices.random(2, 2, 5, new Random(6), 1), 0, 5);
      Matrices.feed(collector, 1, attention, 7, 10);
      reasons.add(String.valueOf(Reported.of(collector).rollout().reason()));
    }
    assertThat(reasons)
        .containsExactly(
            "of 2 prompts 1 are followed in part only",
            "position 7 does not follow the last one traced, 4");
  }

  private static TokenTrack tokens(int n) {
    return Matrices.tokens(IntStream.range(0, n).toArray());
  }

  private static double[][] times(double[][] a, double[][] b) {
    int n = a.length;
    double[][] product = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        for (int k = 0; k < n; k++) product[i][k] += a[i][j] * b[j][k];
      }
    }
    return product;
  }
}
