package org.modeltracer.attention;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Golden;
import tools.jackson.databind.JsonNode;

@Tag("truth")
class GoldenMetricsTest {
  static List<GoldenAttention> goldens() {
    return GoldenAttention.all();
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void headsMeasureWhatPyTorchMeasures(GoldenAttention attention) {
    Golden golden = attention.golden();
    var heads = attention.collect(AttentionOptions.defaults()).collected().heads();
    assertThat(heads).hasSize(golden.layers() * golden.heads());
    for (int l = 0; l < golden.layers(); l++) {
      for (int h = 0; h < golden.heads(); h++) {
        RowTotals rows = heads.get(l * golden.heads() + h).rows();
        JsonNode want = attention.metrics().get("heads").get(l).get(h);
        String where = attention + " L" + l + "H" + h + " ";
        near(where, rows.mean(Quantity.ENTROPY), want, "entropy_mean_nats");
        near(where, rows.mean(Quantity.NORMALIZED_ENTROPY), want, "entropy_mean_normalized");
        near(where, rows.sparsity(), want, "sparsity_lt_0.01_causal");
        near(where, rows.mean(Quantity.DISTANCE), want, "mean_distance");
        near(where, rows.mean(Quantity.PREVIOUS_TOKEN), want, "prev_token_score");
        near(where, rows.mean(Quantity.SELF), want, "self_score");
        near(where, rows.mean(Quantity.SINK), want, "sink_mass");
        near(where, rows.mean(Quantity.CONCENTRATION), want, "row_max_mean");
        near(where, rows.maxWeight(), want, "max_offdiag0");
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
  void rolloutIsThatOfPyTorch(GoldenAttention attention) {
    requireGolden(attention, attention.collect(AttentionOptions.defaults()));
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void rolloutTokenByTokenIsThatOfPyTorch(GoldenAttention attention) {
    var collector = new AttentionCollector(attention.shape(), AttentionOptions.defaults());
    collector.beginPrompt(0, 7, attention.tokens());
    attention.feed(collector, 0, 0, 5);
    for (int q = 5; q < attention.golden().ids().length; q++) {
      attention.feed(collector, 0, q, q + 1);
    }
    requireGolden(attention, collector);
  }

  private static void requireGolden(GoldenAttention attention, AttentionCollector collector) {
    Golden golden = attention.golden();
    Rollout rollout = Objects.requireNonNull(collector.rollout(0));
    assertThat(rollout.positions()).isEqualTo(golden.ids().length);
    for (int i = 0; i < rollout.positions(); i++) {
      float[] row = rollout.row(i);
      for (int j = 0; j <= i; j++) {
        assertThat(Math.abs(row[j] - golden.number("rollout", i, j))).isLessThan(1e-5);
      }
      assertThat(Math.abs(Entropy.of(row) - golden.number("rollout_row_entropy", i)))
          .isLessThan(1e-4);
    }
  }
}
