package org.modeltracer.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import java.nio.file.Path;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.gguf.GgufBytes;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Nvfp4File;

/**
 * Weights whose value is a block's times that of a tensor of its own, and those nobody can read.
 */
class ScaledWeightsTest {
  private static final Path BASE = Path.of("models", "tinyllama-mha-f32.gguf");

  @TempDir Path folder;

  private static boolean all(String name) {
    return name.endsWith(".weight");
  }

  private static WeightScan.Result scan(GgufFile file) {
    return WeightScan.scan(file, LlamaRuntime.load(), Thresholds.defaults(), 1, (done, all) -> {});
  }

  private WeightScan.Result scan(
      Predicate<String> quantized, Predicate<String> scaled, Predicate<String> written) {
    Path file = folder.resolve("nvfp4.gguf");
    Nvfp4File.write(BASE, file, quantized, scaled, written);
    WeightScan.Result result = scan(GgufFile.read(file));
    assertThat(result.unread()).isEmpty();
    assertThat(GgufFile.read(file).tensors()).anyMatch(t -> t.type() == GgmlType.NVFP4);
    return result;
  }

  @Test
  void soundFilesHaveNoFindings() {
    assertThat(
            scan(ScaledWeightsTest::all, ScaledWeightsTest::all, ScaledWeightsTest::all).findings())
        .isEmpty();
    assertThat(scan(ScaledWeightsTest::all, name -> false, ScaledWeightsTest::all).findings())
        .as("block scales alone")
        .isEmpty();
    assertThat(
            scan(
                    name -> name.matches("blk\\.[13]\\..*"),
                    ScaledWeightsTest::all,
                    ScaledWeightsTest::all)
                .findings())
        .as("every other layer in F32")
        .isEmpty();
  }

  @Test
  void aMissingScaleIsNamed() {
    String lost = "blk.2.ffn_up.weight";
    assertThat(
            scan(ScaledWeightsTest::all, ScaledWeightsTest::all, name -> !name.equals(lost))
                .findings())
        .extracting(WeightFinding::tensor, WeightFinding::kind)
        .containsExactly(tuple(lost, WeightFault.MISSING_SCALE));
  }

  @Test
  void whatCannotBeReadIsNotCalledSound() {
    int q81 = GgmlType.Q8_1.id();
    WeightScan.Result result =
        scan(
            new GgufBytes()
                .line("blk.0.ffn_down.weight", q81, 0, 32)
                .line("blk.0.table.weight", GgmlType.I32.id(), 64, 8)
                .line("blk.0.double.weight", GgmlType.F64.id(), 96, 4)
                .read(folder, 128));
    assertThat(result.tensors()).isZero();
    assertThat(result.integers()).containsExactly("blk.0.table.weight");
    assertThat(result.unread()).containsExactly("blk.0.ffn_down.weight", "blk.0.double.weight");
  }

  @Test
  void zerosThatAnglesAreDividedBy() {
    WeightScan.Result result = scan(new GgufBytes().tensor("rope_freqs.weight", 8).read(folder));
    assertThat(result.findings())
        .extracting(WeightFinding::tensor, WeightFinding::kind, WeightFinding::count)
        .containsExactly(tuple("rope_freqs.weight", WeightFault.ZERO_FACTOR, 8L));
  }

  @Test
  void sumsOfActivationsMayDifferAsTheyLike() {
    var matrix = new GgufBytes().text("general.type", "imatrix");
    for (int layer = 0; layer < 4; layer++) {
      matrix.tensor("blk." + layer + ".ffn_down.weight.in_sum2", 4);
    }
    byte[] bytes = matrix.bytes();
    for (int layer = 0; layer < 4; layer++) {
      int end = bytes.length - 32 * (3 - layer);
      byte[] value = GgufBytes.u32(Float.floatToIntBits((float) Math.pow(1e5, layer)));
      for (int i = 0; i < 4; i++) {
        System.arraycopy(value, 0, bytes, end - 32 + 4 * i, 4);
      }
    }
    assertThat(scan(GgufBytes.read(folder, bytes)).findings()).isEmpty();
  }
}
