package org.modeltracer.attention;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

class GoldenMetricsTest {
  static List<Golden> goldens() {
    return Golden.all();
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void headsMeasureWhatPyTorchMeasures(Golden golden) {
    var analyzer = golden.analyzed(AttentionOptions.defaults());
    for (int l = 0; l < golden.layers(); l++) {
      for (int h = 0; h < golden.heads(); h++) {
        var stats = Objects.requireNonNull(analyzer.heads[l * golden.heads() + h]);
        JsonNode want = golden.metrics().get("heads").get(l).get(h);
        String where = golden.model() + " " + golden.prompt() + " L" + l + "H" + h + " ";
        near(where, stats.mean(Quantity.ENTROPY), want, "entropy_mean_nats");
        near(where, stats.mean(Quantity.NORMALIZED_ENTROPY), want, "entropy_mean_normalized");
        near(where, stats.sparsity(), want, "sparsity_lt_0.01_causal");
        near(where, stats.mean(Quantity.DISTANCE), want, "mean_distance");
        near(where, stats.mean(Quantity.PREVIOUS_TOKEN), want, "prev_token_score");
        near(where, stats.mean(Quantity.SELF), want, "self_score");
        near(where, stats.mean(Quantity.SINK), want, "sink_mass");
        near(where, stats.mean(Quantity.CONCENTRATION), want, "row_max_mean");
        near(where, stats.maxWeight, want, "max_offdiag0");
      }
    }
  }

  private static void near(String where, double actual, JsonNode head, String field) {
    double want = head.get(field).asDouble();
    double error = Math.abs(actual - want);
    assertThat(error)
        .as(where + field + " " + actual + " for " + want)
        .isLessThanOrEqualTo(Math.max(1e-4, 1e-3 * Math.abs(want)));
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void rolloutIsThatOfPyTorch(Golden golden) {
    var rollout = Objects.requireNonNull(golden.analyzed(AttentionOptions.defaults()).rollout(0));
    requireGolden(golden, rollout);
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void rolloutTokenByTokenIsThatOfPyTorch(Golden golden) {
    var analyzer = new AttentionAnalyzer(golden.shape(), AttentionOptions.defaults());
    analyzer.beginPrompt(0, 7, golden.tokens());
    golden.feed(analyzer, 0, 0, 5);
    for (int q = 5; q < golden.ids().length; q++) {
      golden.feed(analyzer, 0, q, q + 1);
    }
    requireGolden(golden, Objects.requireNonNull(analyzer.rollout(0)));
  }

  private static void requireGolden(Golden golden, Rollout rollout) {
    assertThat(rollout.positions()).isEqualTo(golden.ids().length);
    for (int i = 0; i < rollout.positions(); i++) {
      float[] row = rollout.row(i);
      for (int j = 0; j <= i; j++) {
        assertThat(Math.abs(row[j] - golden.rollout(i, j))).isLessThan(1e-5);
      }
      assertThat(Math.abs(Rollout.entropy(row) - golden.rolloutEntropy(i))).isLessThan(1e-4);
    }
  }
}
