package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Listening;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Passes that are run again change nothing: not the logits that follow, not what is recorded. */
class ReplayTest {
  private static final int[] PROMPT = {1, 17, 33, 5, 90, 64, 2, 41, 77, 8};
  private static final int[] STEPS = {12, 99, 3, 50};

  /** So high that every pass has an anomaly to be told of. */
  private static final TracerConfig NERVOUS =
      TracerConfig.builder()
          .activations(true)
          .kvCache(true)
          .thresholds(Thresholds.from(Map.of("vanishing_std", 1e9)))
          .build();

  private record Seen(List<float[]> logits, String recorded, int replays) {}

  private static Seen run(Path file, SessionOptions options, boolean again) {
    LlamaRuntime runtime = LlamaRuntime.load();
    try (var model = runtime.open(file);
        var tracer = new ModelTracer(NERVOUS);
        var session = TracedSession.open(model, options, tracer)) {
      List<float[]> logits = new ArrayList<>();
      int[] replays = {0};
      session.listen(
          Listening.logits((s, p, values) -> logits.add(values.toArray(ValueLayout.JAVA_FLOAT))));
      session.listen(
          Listening.passes(
              (worst, replay) -> {
                if (again) {
                  Thorough watch = new Thorough();
                  assertThat(replay.run(watch)).isTrue();
                  assertThat(watch.nodes).isPositive();
                  replays[0]++;
                }
              }));
      session.evaluate(PROMPT, true);
      for (int i = 0; i < STEPS.length; i++) {
        int step = i;
        session.pass(batch -> batch.add(STEPS[step], PROMPT.length + step, 0, true));
      }
      JsonNode summary = JsonMapper.shared().readTree(tracer.summaryToJson());
      return new Seen(
          logits,
          summary.get("kv_cache").toString() + summary.get("activations") + tracer.anomalies(),
          replays[0]);
    }
  }

  private static final class Thorough implements TensorObserver {
    int nodes;

    @Override
    public boolean wants(Tensor node) {
      return true;
    }

    @Override
    public void observe(Tensor node) {
      nodes++;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tinyllama-mha-f32", "tinyllama-gqa-Q4_K_M", "rand-mixtral-f32"})
  void attentionIsLeftExactlyAsItWas(String model) {
    for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
      SessionOptions options = Diagnosed.options(CacheType.F16, flash);
      Path file = Path.of("models", model + ".gguf");
      Seen once = run(file, options, false);
      Seen twice = run(file, options, true);
      assertThat(twice.replays()).isEqualTo(1 + STEPS.length);
      assertThat(twice.logits()).hasSize(PROMPT.length + STEPS.length);
      assertThat(twice.logits().toArray(float[][]::new))
          .isDeepEqualTo(once.logits().toArray(float[][]::new));
      assertThat(twice.recorded()).isEqualTo(once.recorded());
    }
  }

  static List<String> architectures() {
    return List.of(
        "mamba-dense-f16",
        "jamba-dense-f16",
        "falcon-h1-dense-f16",
        "qwen3next-moe-f16",
        "gemma3-dense-f16",
        "deepseek32-moe-f16",
        "gpt-oss-moe-f16");
  }

  /** Recurrent memory is computed again from the first token on, in another order of sums. */
  @ParameterizedTest
  @MethodSource("architectures")
  void memoryOfOtherKindsIsRebuilt(String architecture) {
    Path file = Architectures.model(architecture);
    SessionOptions options = Diagnosed.options(CacheType.F16, FlashAttention.OFF);
    Seen once = run(file, options, false);
    Seen twice = run(file, options, true);
    assertThat(twice.replays()).isEqualTo(1 + STEPS.length);
    for (int i = 0; i < once.logits().size(); i++) {
      float[] expected = once.logits().get(i);
      float[] actual = twice.logits().get(i);
      double scale = 0;
      double distance = 0;
      for (int t = 0; t < expected.length; t++) {
        scale = Math.max(scale, Math.abs(expected[t]));
        distance = Math.max(distance, Math.abs(expected[t] - actual[t]));
      }
      assertThat(distance).as("token " + i).isLessThan(1e-3 * scale);
    }
  }

  /** One sequence begins where another, whose memory cannot be cut, goes on. */
  @ParameterizedTest
  @ValueSource(strings = {"mamba-dense-f16", "falcon-h1-dense-f16"})
  void whatCannotBeTakenBackIsLeftWhole(String architecture) {
    assertThat(twoSequences(architecture, true))
        .isNotEmpty()
        .isDeepEqualTo(twoSequences(architecture, false));
  }

  private static float[][] twoSequences(String architecture, boolean again) {
    ContextOptions two =
        ContextOptions.defaults().withContextTokens(64).withThreads(1).withSequences(2, false);
    List<float[]> logits = new ArrayList<>();
    try (var model = LlamaRuntime.load().open(Architectures.model(architecture));
        var tracer = new ModelTracer(NERVOUS);
        var session =
            TracedSession.open(model, SessionOptions.defaults().withContext(two), tracer)) {
      session.listen(
          Listening.logits((s, p, values) -> logits.add(values.toArray(ValueLayout.JAVA_FLOAT))));
      session.pass(batch -> add(batch, 1, 0, PROMPT));
      List<Boolean> replays = new ArrayList<>();
      session.listen(
          Listening.passes(
              (worst, replay) -> {
                if (again) {
                  replays.add(replay.run(new Thorough()));
                }
              }));
      session.pass(
          batch -> {
            add(batch, 0, 0, PROMPT);
            add(batch, 1, PROMPT.length, STEPS);
          });
      session.pass(batch -> add(batch, 1, PROMPT.length + STEPS.length, STEPS));
      assertThat(replays).hasSize(again ? 2 : 0).doesNotContain(true);
    }
    return logits.toArray(float[][]::new);
  }

  private static void add(Batch batch, int sequence, int position, int[] tokens) {
    for (int i = 0; i < tokens.length; i++) {
      batch.add(tokens[i], position + i, sequence, true);
    }
  }
}
