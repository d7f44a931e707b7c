package org.modeltracer.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgmlTypeTest {
  /** What ggml_type_name, ggml_blck_size, ggml_type_size, ggml_is_quantized of v0.5.0 answer. */
  @ParameterizedTest
  @CsvSource(
      textBlock =
          """
          0, f32, 1, 4, false
          1, f16, 1, 2, false
          2, q4_0, 32, 18, true
          3, q4_1, 32, 20, true
          6, q5_0, 32, 22, true
          7, q5_1, 32, 24, true
          8, q8_0, 32, 34, true
          9, q8_1, 32, 36, true
          10, q2_K, 256, 84, true
          11, q3_K, 256, 110, true
          12, q4_K, 256, 144, true
          13, q5_K, 256, 176, true
          14, q6_K, 256, 210, true
          15, q8_K, 256, 292, true
          16, iq2_xxs, 256, 66, true
          17, iq2_xs, 256, 74, true
          18, iq3_xxs, 256, 98, true
          19, iq1_s, 256, 50, true
          20, iq4_nl, 32, 18, true
          21, iq3_s, 256, 110, true
          22, iq2_s, 256, 82, true
          23, iq4_xs, 256, 136, true
          24, i8, 1, 1, false
          25, i16, 1, 2, false
          26, i32, 1, 4, false
          27, i64, 1, 8, false
          28, f64, 1, 8, false
          29, iq1_m, 256, 56, true
          30, bf16, 1, 2, false
          34, tq1_0, 256, 54, true
          35, tq2_0, 256, 66, true
          39, mxfp4, 32, 17, true
          40, nvfp4, 64, 36, true
          41, q1_0, 128, 18, true
          42, q2_0, 64, 18, true
          """)
  void agreesWithGgml(int id, String name, int blockSize, int blockBytes, boolean quantized) {
    GgmlType type = GgmlType.ofId(id).orElseThrow();
    assertThat(type.id()).isEqualTo(id);
    assertThat(type.ggmlName()).isEqualTo(name);
    assertThat(type.blockSize()).isEqualTo(blockSize);
    assertThat(type.blockBytes()).isEqualTo(blockBytes);
    assertThat(type.quantized()).isEqualTo(quantized);
    assertThat(type.bytes(blockSize * 7L)).isEqualTo(blockBytes * 7L);
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 4, 5, 31, 33, 36, 38, 43, Integer.MAX_VALUE, Integer.MIN_VALUE})
  void removedAndUnknownIdsAreNoType(int id) {
    assertThat(GgmlType.ofId(id)).isEmpty();
  }

  @Test
  void listsThirtyFive() {
    assertThat(GgmlType.values()).hasSize(35);
    assertThatThrownBy(() -> GgmlType.F64.bytes(Long.MAX_VALUE / 2))
        .isInstanceOf(ArithmeticException.class);
  }
}
