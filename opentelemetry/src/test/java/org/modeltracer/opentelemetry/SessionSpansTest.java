package org.modeltracer.opentelemetry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.context.Scope;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.diagnose.Diagnosis;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.SamplerOptions;
import org.modeltracer.session.Generation;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.Faults;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** What a tracing backend gets of a real run. */
class SessionSpansTest {
  private static final Path MODEL = Path.of("models", "tinyllama-mha-f32.gguf");

  private final InMemorySpanExporter exporter = InMemorySpanExporter.create();
  private final OpenTelemetrySdk telemetry =
      OpenTelemetrySdk.builder()
          .setTracerProvider(
              SdkTracerProvider.builder()
                  .addSpanProcessor(SimpleSpanProcessor.create(exporter))
                  .build())
          .build();

  private static Object value(SpanData span, String attribute) {
    return span.getAttributes().asMap().entrySet().stream()
        .filter(a -> a.getKey().getKey().equals(attribute))
        .findFirst()
        .orElseThrow()
        .getValue();
  }

  @Test
  void aGenerationIsAChildOfTheRequestThatAskedForIt() {
    var options = SessionOptions.defaults().withSampler(new SamplerOptions(0.5f, 20, 0.9f, 7));
    try (var model = LlamaRuntime.load().open(MODEL);
        var tracer = new ModelTracer(TracerConfig.lightweight());
        var session = TracedSession.open(model, options, tracer)) {
      Span request = telemetry.getTracer("test").spanBuilder("GET /").startSpan();
      Generation generation;
      try (Scope scope = request.makeCurrent();
          var spans = SessionSpans.attach(telemetry, session, tracer)) {
        assertThat(scope).isNotNull();
        assertThat(spans).isNotNull();
        generation = session.generate("The file", 4, token -> true);
      } finally {
        request.end();
      }
      session.generate("after the request", 1, token -> true);

      List<SpanData> finished = exporter.getFinishedSpanItems();
      assertThat(finished)
          .extracting(SpanData::getName)
          .containsExactly("text_completion tinyllama-mha-f32.gguf", "GET /");
      SpanData span = finished.getFirst();
      assertThat(span.getParentSpanId()).isEqualTo(request.getSpanContext().getSpanId());
      assertThat(span.getTraceId()).isEqualTo(request.getSpanContext().getTraceId());
      assertThat(span.getKind()).isEqualTo(SpanKind.INTERNAL);
      assertThat(span.getStatus().getStatusCode()).isEqualTo(StatusCode.UNSET);
      assertThat(span.getEvents()).isEmpty();
      assertThat(value(span, "gen_ai.operation.name")).isEqualTo("text_completion");
      assertThat(value(span, "gen_ai.request.temperature")).isEqualTo(0.5);
      assertThat(value(span, "gen_ai.request.seed")).isEqualTo(7L);
      assertThat(value(span, "gen_ai.usage.input_tokens"))
          .isEqualTo((long) generation.promptTokens());
      assertThat(value(span, "gen_ai.usage.output_tokens")).isEqualTo(4L);
      assertThat(value(span, "gen_ai.response.finish_reasons")).isEqualTo(List.of("length"));
      assertThat(value(span, "modeltracer.session.id")).isEqualTo(session.id());
      assertThat((span.getEndEpochNanos() - span.getStartEpochNanos()) / 1e9)
          .isGreaterThanOrEqualTo(generation.promptSeconds() + generation.generationSeconds());
    }
  }

  @Test
  void aFailureIsAnError() {
    try (var model = LlamaRuntime.load().open(MODEL);
        var tracer = new ModelTracer(TracerConfig.lightweight());
        var session = TracedSession.open(model, SessionOptions.defaults(), tracer);
        var spans = SessionSpans.attach(telemetry, session, tracer)) {
      assertThat(spans).isNotNull();
      assertThatThrownBy(
              () ->
                  session.generate(
                      "x",
                      2,
                      token -> {
                        throw new IllegalArgumentException("enough");
                      }))
          .hasMessage("enough");
      SpanData span = exporter.getFinishedSpanItems().getFirst();
      assertThat(span.getStatus().getStatusCode()).isEqualTo(StatusCode.ERROR);
      assertThat(span.getStatus().getDescription()).isEqualTo("enough");
      assertThat(value(span, "error.type")).isEqualTo("java.lang.IllegalArgumentException");
    }
  }

  @Test
  void anomaliesAndTheirCausesAreEvents(@TempDir Path folder) throws IOException {
    Path broken = Faults.make("f01_nan_ffn_down_l2", folder);
    try (var model = LlamaRuntime.load().open(broken);
        var tracer = ModelTracer.quiet(TracerConfig.lightweight());
        var session = TracedSession.open(model, SessionOptions.defaults(), tracer);
        var diagnosis = Diagnosis.attach(session, tracer, GgufFile.read(broken));
        var spans = SessionSpans.attach(telemetry, session, tracer)) {
      assertThat(diagnosis).isNotNull();
      assertThat(spans).isNotNull();
      session.evaluate(new int[] {0, 5, 9}, false);
      SpanData span = exporter.getFinishedSpanItems().getFirst();
      assertThat(span.getEvents().getFirst().getName()).isEqualTo("modeltracer.anomaly");
      var cause =
          span.getEvents().stream()
              .filter(event -> event.getName().equals("modeltracer.root_cause"))
              .findFirst()
              .orElseThrow()
              .getAttributes();
      assertThat(cause.get(AttributeKey.stringKey("modeltracer.cause"))).isEqualTo("bad_weight");
      assertThat(cause.get(AttributeKey.stringKey("modeltracer.weight")))
          .isEqualTo("blk.2.ffn_down.weight");
      assertThat(cause.get(AttributeKey.longKey("modeltracer.layer"))).isEqualTo(2);
    }
  }
}
