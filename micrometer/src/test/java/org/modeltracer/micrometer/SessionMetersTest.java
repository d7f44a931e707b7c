package org.modeltracer.micrometer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.session.Generation;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.Faults;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** What the meters of a real run say, beside what the run itself says. */
class SessionMetersTest {
  private static final Path MODEL = Path.of("models", "tinyllama-mha-f32.gguf");
  private static final String DURATION = "gen_ai.server.request.duration";

  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

  @Test
  void requestsTokensAndPassesAreThoseOfTheRun() {
    try (var model = LlamaRuntime.load().open(MODEL);
        var tracer = new ModelTracer(TracerConfig.lightweight());
        var session = TracedSession.open(model, SessionOptions.defaults(), tracer)) {
      Generation generation;
      try (var meters = SessionMeters.attach(registry, session, tracer)) {
        assertThat(meters).isNotNull();
        generation = session.generate("The file", 5, token -> true);
        session.evaluate(new int[] {0, 5, 9}, false);
        assertThatThrownBy(
                () ->
                    session.generate(
                        "x",
                        2,
                        token -> {
                          throw new IllegalArgumentException("enough");
                        }))
            .hasMessage("enough");
      }
      assertThat(registry.get("modeltracer.forward").timer().count())
          .isEqualTo(tracer.summary().totalForwards());
      session.generate("not counted", 2, token -> true);

      var done = registry.get(DURATION).tag("error.type", "none").timer();
      assertThat(done.count()).isEqualTo(2);
      assertThat(done.max(TimeUnit.NANOSECONDS))
          .isGreaterThanOrEqualTo(
              1e9 * (generation.promptSeconds() + generation.generationSeconds()));
      var failed =
          registry
              .get(DURATION)
              .tag("error.type", "java.lang.IllegalArgumentException")
              .tag("gen_ai.request.model", "tinyllama-mha-f32.gguf")
              .timer();
      assertThat(failed.count()).isEqualTo(1);
      assertThat(usage("input")).isEqualTo(generation.promptTokens() + 3);
      assertThat(usage("output")).isEqualTo(5);
      assertThat(registry.get("gen_ai.server.time_to_first_token").timer().count()).isEqualTo(1);
      assertThat(
              registry
                  .get("gen_ai.server.time_per_output_token")
                  .timer()
                  .totalTime(TimeUnit.NANOSECONDS))
          .isEqualTo((double) Math.round(1e9 * generation.generationSeconds() / 4));
    }
  }

  private double usage(String type) {
    return registry
        .get("gen_ai.client.token.usage")
        .tag("gen_ai.token.type", type)
        .summary()
        .totalAmount();
  }

  @Test
  void anomaliesAreCountedByKindAndSeverity(@TempDir Path folder) throws IOException {
    try (var model = LlamaRuntime.load().open(Faults.make("f01_nan_ffn_down_l2", folder));
        var tracer = ModelTracer.quiet(TracerConfig.lightweight());
        var session = TracedSession.open(model, SessionOptions.defaults(), tracer);
        var meters = SessionMeters.attach(registry, session, tracer)) {
      assertThat(meters).isNotNull();
      session.evaluate(new int[] {0, 5, 9}, false);
      long nan = tracer.anomalies().stream().filter(a -> a.kind().id().equals("nan")).count();
      assertThat(nan).isPositive();
      assertThat(
              registry
                  .get("modeltracer.anomalies")
                  .tag("kind", "nan")
                  .tag("severity", "critical")
                  .counter()
                  .count())
          .isEqualTo((double) nan);
    }
  }
}
