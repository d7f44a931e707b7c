package org.modeltracer.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class QuantizationTest {
  /** Counted with another reader of the same files. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          tinyllama-gqa-Q2_K   | Q2_K: 16 q2_K, 8 q3_K, 4 q4_K, 1 q6_K
          tinyllama-gqa-Q4_K_M | Q4_K_M: 24 q4_K, 5 q6_K
          tinyllama-mha-Q4_0   | Q4_0: 29 q4_0, 1 q8_0
          tinyllama-mha-f32    | F32: 30 f32
          rand-mixtral-f32     | F32: 18 f32
          """)
  void isNamedByTheFileAndCounted(String model, String name) {
    assertThat(Quantization.of(GgufFile.read(Path.of("models", model + ".gguf")))).isEqualTo(name);
  }
}
