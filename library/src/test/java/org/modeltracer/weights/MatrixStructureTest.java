package org.modeltracer.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.TinyModel;
import org.modeltracer.testing.Weights;

/** Against chance itself, and against the lengths worked out again. */
class MatrixStructureTest {
  @TempDir Path folder;

  private static List<MatrixStructure> of(String model) {
    return MatrixStructure.of(GgufFile.read(Path.of("models", model)), LlamaRuntime.load());
  }

  /** Weights drawn independently: about 1, whichever way they are quantized. */
  @Test
  void randomWeightsLookRandom() {
    for (String model : List.of("rand-qwen2", "rand-gpt2", "rand-gemma2")) {
      List<MatrixStructure> all = of(model + "-f32.gguf");
      assertThat(all).hasSizeGreaterThan(10);
      assertThat(all.stream().filter(MatrixStructure::looksRandom).count())
          .as(model)
          .isGreaterThanOrEqualTo(Math.round(0.9 * all.size()));
      assertThat(all.stream().mapToDouble(MatrixStructure::rows).average().orElseThrow())
          .as(model)
          .isCloseTo(1, within(0.1));
    }
  }

  @Test
  void trainedWeightsDoNot() {
    for (String model : List.of("mha-f32", "mha-Q4_0", "gqa-f16", "gqa-Q2_K")) {
      List<MatrixStructure> all = of("tinyllama-" + model + ".gguf");
      assertThat(all.stream().filter(m -> !m.looksRandom()).count())
          .as(model)
          .isGreaterThan(all.size() * 3L / 4);
    }
  }

  @Test
  void isTheRatioThatItSaysItIs() {
    var weights = new Weights(Path.of("models", "tinyllama-mha-f32.gguf"));
    MatrixStructure found =
        of("tinyllama-mha-f32.gguf").stream()
            .filter(m -> m.tensor().equals("blk.1.ffn_up.weight"))
            .findFirst()
            .orElseThrow();
    float[] values = weights.get("blk.1.ffn_up.weight");
    int width =
        Math.toIntExact(weights.file().tensor("blk.1.ffn_up.weight").orElseThrow().dimension(0));
    int rows = values.length / width;
    double mean = 0;
    for (float x : values) {
      mean += x / values.length;
    }
    double variance = 0;
    double fourth = 0;
    for (float x : values) {
      variance += Math.pow(x - mean, 2) / values.length;
      fourth += Math.pow(x - mean, 4) / values.length;
    }
    double[] lengths = new double[rows];
    for (int i = 0; i < values.length; i++) {
      lengths[i / width] += (double) values[i] * values[i];
    }
    double average = 0;
    for (int r = 0; r < rows; r++) {
      lengths[r] = Math.sqrt(lengths[r]);
      average += lengths[r] / rows;
    }
    double spread = 0;
    for (double length : lengths) {
      spread += Math.pow(length - average, 2) / rows;
    }
    double kurtosis = fourth / (variance * variance);
    double expected = Math.sqrt(spread) / average / Math.sqrt((kurtosis - 1) / (4.0 * width));
    // Of a matrix of no more than 512 rows, all are read.
    assertThat(rows).isLessThanOrEqualTo(512);
    assertThat(found.rows()).isCloseTo(expected, within(1e-9));
  }

  /** No row counts twice, however many there are. */
  @Test
  void anyNumberOfRowsIsReadOnce() {
    for (int rows : new int[] {33, 65, 96, 130, 700}) {
      TinyModel model = new TinyModel("noise").tensor("a.weight", 0, 1, 160, rows);
      MatrixStructure found =
          MatrixStructure.of(GgufFile.read(model.write(folder)), LlamaRuntime.load()).stream()
              .filter(m -> m.tensor().equals("a.weight"))
              .findFirst()
              .orElseThrow();
      assertThat(found.rows()).as(rows + " rows").isBetween(0.7, 1.3);
      assertThat(found.columns()).as(rows + " rows").isBetween(0.8, 1.2);
    }
  }
}
