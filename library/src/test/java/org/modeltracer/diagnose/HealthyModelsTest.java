package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.SamplerOptions;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.testing.Sample;
import org.modeltracer.trace.TracerConfig;

/** Models with nothing wrong: no rule cries wolf over 200 tokens, greedy and with three seeds. */
class HealthyModelsTest {
  private static final List<String> MODELS =
      List.of(
          "rand-gemma2-f32",
          "rand-gpt2-f32",
          "rand-mixtral-f32",
          "rand-qwen2-f32",
          "tinyllama-gqa-Q2_K",
          "tinyllama-gqa-Q4_K_M",
          "tinyllama-gqa-Q8_0",
          "tinyllama-gqa-f16",
          "tinyllama-mha-Q4_0",
          "tinyllama-mha-Q8_0",
          "tinyllama-mha-f16",
          "tinyllama-mha-f32");

  static List<Arguments> runs() {
    return Sample.of(all().toList(), 10);
  }

  private static Stream<Arguments> all() {
    return MODELS.stream()
        .flatMap(
            model ->
                Stream.of(
                    Arguments.of(model, SamplerOptions.greedy(), FlashAttention.OFF),
                    Arguments.of(model, new SamplerOptions(0.8f, 40, 0.95f, 1), FlashAttention.ON),
                    Arguments.of(model, new SamplerOptions(0.8f, 40, 0.95f, 2), FlashAttention.OFF),
                    Arguments.of(
                        model, new SamplerOptions(0.8f, 40, 0.95f, 3), FlashAttention.AUTO)));
  }

  @ParameterizedTest
  @MethodSource("runs")
  void haveNoCriticalAnomaly(String model, SamplerOptions sampler, FlashAttention flash) {
    SessionOptions options = Diagnosed.options(CacheType.F16, flash).withSampler(sampler);
    Path file = Path.of("models", model + ".gguf");
    var config =
        TracerConfig.builder().activations(true).attention(true).logits(true).kvCache(true).build();
    try (var run = new Diagnosed(LlamaRuntime.load(), file, config, options)) {
      assertThat(run.session.generate(Prompts.ids("short"), 200, t -> true).tokens()).isNotEmpty();
      List<Anomaly> anomalies = run.tracer.anomalies();
      assertThat(run.critical()).isEmpty();
      assertThat(anomalies).allMatch(a -> a.rootCause() == null);
      assertThat(run.diagnosis.replays()).isZero();
      // Trained models may repeat themselves when greedy; nothing else is unusual about them.
      if (model.startsWith("tinyllama")) {
        assertThat(anomalies)
            .allMatch(a -> a.kind() == AnomalyKind.REPETITION || a.kind() == AnomalyKind.HEADROOM);
      }
    }
  }
}
