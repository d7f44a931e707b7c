package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.TracerConfig;

/**
 * The token that an anomaly names is the one whose numbers are bad, however many tokens there are.
 */
class TokenPositionTest {
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();

  @TempDir Path folder;

  /** Two tokens, two experts for each of them: sizes that are equal by chance. */
  @Test
  void asManyTokensAsExpertsForEach() {
    Path file =
        BrokenModel.of("rand-mixtral-f32.gguf")
            .set("blk.1.ffn_up_exps.weight", 64 * 3 + 5, Float.NaN)
            .write(folder, "expert");
    var options = Diagnosed.options(CacheType.F32, FlashAttention.OFF);
    try (var run = new Diagnosed(RUNTIME, file, TracerConfig.lightweight(), options)) {
      assertThat(run.prompt(20).tracer.anomalies()).isEmpty();
    }
    try (var run = new Diagnosed(RUNTIME, file, TracerConfig.lightweight(), options)) {
      run.prompt(20, 170);
      assertThat(run.tracer.anomalies()).isNotEmpty();
      assertThat(run.tracer.anomalies()).extracting(Anomaly::position).containsOnly(1);
      assertThat(Objects.requireNonNull(run.cause()).position()).isEqualTo(1);
    }
  }

  static Stream<Arguments> batches() {
    return Stream.of("llama", "gemma2", "gemma3", "olmo2", "phi3", "falcon", "bloom", "gptneox")
        .filter(TinyModels.names()::contains)
        .flatMap(
            name ->
                Stream.of(FlashAttention.OFF, FlashAttention.ON)
                    .flatMap(
                        flash ->
                            Stream.of(2, 4, 8).map(tokens -> Arguments.of(name, flash, tokens))));
  }

  /** One token's embedding is bad: the last one's, so that no other token can see it. */
  @ParameterizedTest
  @MethodSource("batches")
  void theLastTokenIsNamed(String architecture, FlashAttention flash, int tokens) throws Exception {
    Path healthy = TinyModels.of(architecture).write(folder);
    var model = new BrokenModel(healthy);
    var table = model.tensor("token_embd.weight");
    int poisoned = 90;
    Path file = model.nan(table, table.dimension(0) * poisoned + 3).write(folder, "poisoned");
    int[] ids = IntStream.range(1, tokens + 1).map(i -> i == tokens ? poisoned : i).toArray();
    var options = Diagnosed.options(CacheType.F16, flash);
    try (var run = new Diagnosed(RUNTIME, file, TracerConfig.lightweight(), options)) {
      run.prompt(ids);
      List<Anomaly> bad = run.critical();
      assertThat(bad).isNotEmpty();
      assertThat(bad.getFirst().position()).isEqualTo(tokens - 1);
      assertThat(Objects.requireNonNull(run.cause()).position()).isEqualTo(tokens - 1);
    }
  }
}
