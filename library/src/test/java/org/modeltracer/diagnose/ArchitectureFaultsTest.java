package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Architectures;
import org.modeltracer.trace.TracerConfig;

/** One NaN in the second layer of models of many architectures, all masks and memories included. */
class ArchitectureFaultsTest {
  private static final int[] IDS = {1, 17, 33, 5, 90, 64, 2, 41, 77, 8, 12, 99, 3, 50};
  private static final List<String> ROLES =
      List.of("ffn_down", "ffn_down_exps", "ssm_out", "attn_output");

  @TempDir Path folder;

  static Stream<String> architectures() {
    return Stream.of(
        "bloom-dense-f16",
        "command-r-dense-f16",
        "deepseek2-moe-f16",
        "deepseek32-moe-f16",
        "falcon-h1-dense-f16",
        "gemma3-dense-f16",
        "gpt-oss-moe-f16",
        "gpt2-dense-f16",
        "jamba-dense-f16",
        "mamba-dense-f16",
        "mpt-dense-f16",
        "phi3-dense-f16",
        "qwen3-dense-f16",
        "qwen3next-moe-f16");
  }

  @ParameterizedTest
  @MethodSource("architectures")
  void aNanIsTracedToItsTensor(String architecture) {
    Path base = Architectures.model(architecture);
    for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
      BrokenModel model = new BrokenModel(base);
      TensorInfo tensor =
          ROLES.stream()
              .flatMap(role -> model.find("blk.1." + role + ".weight").stream())
              .findFirst()
              .orElseThrow();
      long slice = tensor.dimension(0) * tensor.dimension(1);
      for (long expert = 0; expert < tensor.dimension(2); expert++) {
        model.nan(tensor, expert * slice + 3 * tensor.dimension(0) + 5);
      }
      Path file = model.write(folder, architecture);
      var options = Diagnosed.options(CacheType.F16, flash);
      LlamaRuntime runtime = LlamaRuntime.load();
      try (var run = new Diagnosed(runtime, file, TracerConfig.lightweight(), options)) {
        RootCause cause = run.steps(IDS).cause();
        assertThat(cause.weight()).isEqualTo(tensor.name());
        assertThat(cause.layer()).isEqualTo(1);
        assertThat(cause.position()).isZero();
        assertThat(cause.cause())
            .isEqualTo(tensor.dimension(2) > 1 ? Cause.EXPERT : Cause.BAD_WEIGHT);
        assertThat(cause.weightIndex()).startsWith(5L, 3L);
      }
      try (var run = new Diagnosed(runtime, base, TracerConfig.lightweight(), options)) {
        assertThat(run.prompt(IDS).critical()).isEmpty();
      }
    }
  }
}
