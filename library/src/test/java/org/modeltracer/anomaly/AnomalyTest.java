package org.modeltracer.anomaly;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.model.TensorStats;

class AnomalyTest {
  @Test
  void identifiersAreThoseThatScriptsKnow() {
    assertThat(Arrays.stream(AnomalyKind.values()).map(AnomalyKind::id))
        .containsExactly(
            "nan inf explosion vanishing residual_dominance headroom row_sum masked_row"
                .concat(" attention_collapse uniform_attention dead_head indexer_recall")
                .concat(" dead_expert logits")
                .concat(" repetition kv_exhausted kv_thrashing tokenizer quantization")
                .split(" "));
    assertThat(Arrays.stream(Cause.values()).map(Cause::id))
        .containsExactly(
            "bad_weight",
            "f16_overflow",
            "block_sum_overflow",
            "masked_row",
            "expert",
            "poisoned_kv",
            "backend_kernel",
            "propagated",
            "unknown");
    assertThat(Arrays.stream(Severity.values()).map(Severity::id))
        .containsExactly("info", "warning", "critical");
  }

  @Test
  void whatIsNotSetIsNull() {
    Anomaly anomaly = Anomaly.of(AnomalyKind.NAN, "bad").head(-1).forward(-1).build();
    assertThat(anomaly.site()).isNull();
    assertThat(anomaly.head()).isNull();
    assertThat(anomaly.forward()).isNull();
    assertThat(anomaly.numel()).isNull();
    assertThat(anomaly.severity()).isEqualTo(Severity.CRITICAL);
  }

  @Test
  void layersAreNumbersMinusOneOrNull() {
    assertThat(at(new Place(Site.FFN_OUT, 2)).layer()).isEqualTo(2);
    assertThat(at(new Place(Site.EMBEDDING, Place.BEFORE_LAYERS)).layer()).isEqualTo(-1);
    assertThat(at(new Place(Site.LOGITS, Place.AFTER_LAYERS)).layer()).isNull();
  }

  @Test
  void oneLineWithTheRootCause() {
    Anomaly anomaly =
        Anomaly.of(AnomalyKind.NAN, "ffn_out-2: 1 of 2 values are NaN")
            .stats(TensorStats.of(new float[] {Float.NaN, 1}))
            .build();
    assertThat(anomaly.nan()).isEqualTo(1);
    assertThat(anomaly).hasToString("critical nan: ffn_out-2: 1 of 2 values are NaN");
    RootCause cause =
        new RootCause(
            "ffn_out-2",
            "MUL_MAT",
            2,
            0,
            Cause.BAD_WEIGHT,
            "w",
            List.of(101L, 37L),
            1L,
            null,
            null,
            List.of(),
            "w[101, 37] is NaN",
            List.of());
    assertThat(anomaly.with(7, 3, cause))
        .hasToString(anomaly + "; root cause: w[101, 37] is NaN")
        .extracting(Anomaly::id, Anomaly::repeats)
        .containsExactly(7, 3L);
  }

  @Test
  void quantizationLevels() {
    Thresholds limits = Thresholds.defaults();
    assertThat(QuantizationLevel.of(0.9951, limits)).isEqualTo(QuantizationLevel.ACCEPTABLE);
    assertThat(QuantizationLevel.of(0.995, limits)).isEqualTo(QuantizationLevel.WARNING);
    assertThat(QuantizationLevel.of(0.99, limits)).isEqualTo(QuantizationLevel.CRITICAL);
    assertThat(QuantizationLevel.of(Double.NaN, limits)).isEqualTo(QuantizationLevel.CRITICAL);
    assertThat(QuantizationLevel.ACCEPTABLE.finding(0.999)).isNull();
    assertThat(QuantizationLevel.WARNING.finding(0.991).severity()).isEqualTo(Severity.WARNING);
  }

  private static Anomaly at(Place place) {
    return Anomaly.of(AnomalyKind.NAN, "bad").place(place).build();
  }
}
