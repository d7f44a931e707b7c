package org.modeltracer.opentelemetry;

import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.AttributesBuilder;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import java.util.List;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.llama.SamplerOptions;
import org.modeltracer.model.Subscription;
import org.modeltracer.session.Generation;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;

/**
 * A span for each text that a session reads or continues, by OpenTelemetry's semantic conventions
 * for generative AI; anomalies and their root causes are events of it.
 *
 * <p>A session works on a thread of its own, where no context is current: spans are children of the
 * context that was current when this was attached. Attach it for a request, and close it after.
 * Neither prompts nor what is generated are part of a span, only numbers of tokens.
 */
public final class SessionSpans implements TraceListener, SessionListener, AutoCloseable {
  private static final String OPERATION = "text_completion";

  private final Tracer tracer;
  private final Context parent;
  private final String model;
  private final Attributes request;
  private final List<Subscription> subscriptions;
  private Span span = Span.getInvalid();

  private SessionSpans(OpenTelemetry telemetry, TracedSession session, ModelTracer modelTracer) {
    tracer = telemetry.getTracer("org.modeltracer");
    parent = Context.current();
    model = session.context().model().file().getFileName().toString();
    SamplerOptions sampler = session.options().sampler();
    request =
        Attributes.builder()
            .put("gen_ai.operation.name", OPERATION)
            .put("gen_ai.provider.name", "llama.cpp")
            .put("gen_ai.request.model", model)
            .put("gen_ai.response.model", model)
            .put("gen_ai.request.temperature", sampler.temperature())
            .put("gen_ai.request.top_k", sampler.topK())
            .put("gen_ai.request.top_p", sampler.topP())
            .put("gen_ai.request.seed", Integer.toUnsignedLong(sampler.seed()))
            .put("modeltracer.session.id", session.id())
            .put("modeltracer.model.id", session.context().model().id())
            .build();
    subscriptions = List.of(session.listen(this), modelTracer.addListener(this));
  }

  /**
   * Has a session's texts become spans from now on.
   *
   * @param tracer the session's
   */
  public static SessionSpans attach(
      OpenTelemetry telemetry, TracedSession session, ModelTracer tracer) {
    return new SessionSpans(telemetry, session, tracer);
  }

  @Override
  public void onBegin(List<Generation.Token> prompt) {
    span =
        tracer
            .spanBuilder(OPERATION + " " + model)
            .setSpanKind(SpanKind.INTERNAL)
            .setParent(parent)
            .setAllAttributes(request)
            .setAttribute("gen_ai.usage.input_tokens", prompt.size())
            .startSpan();
  }

  @Override
  public void onEnd(Generation result) {
    span.setAttribute("gen_ai.usage.output_tokens", result.tokens().size());
    span.setAttribute("gen_ai.usage.cache_read.input_tokens", result.reusedTokens());
    span.setAttribute(
        AttributeKey.stringArrayKey("gen_ai.response.finish_reasons"),
        List.of(reason(result.finish())));
    span.end();
    span = Span.getInvalid();
  }

  private static String reason(Generation.Finish finish) {
    return switch (finish) {
      case LENGTH, CONTEXT -> "length";
      case END_OF_TEXT, STOPPED, NO_OUTPUT -> "stop";
      case CANCELLED -> "cancelled";
    };
  }

  @Override
  public void onFailure(Throwable failure) {
    span.setStatus(StatusCode.ERROR, String.valueOf(failure.getMessage()));
    span.setAttribute("error.type", failure.getClass().getName());
    span.recordException(failure);
    span.end();
    span = Span.getInvalid();
  }

  @Override
  public void onAnomaly(Anomaly anomaly) {
    span.addEvent("modeltracer.anomaly", of(anomaly, anomaly.message()).build());
  }

  @Override
  public void onRootCause(Anomaly anomaly) {
    RootCause cause = anomaly.rootCause();
    if (cause != null) {
      AttributesBuilder attributes = of(anomaly, cause.message());
      attributes.put("modeltracer.cause", cause.cause().id());
      if (cause.weight() != null) {
        attributes.put("modeltracer.weight", cause.weight());
      }
      span.addEvent("modeltracer.root_cause", attributes.build());
    }
  }

  private static AttributesBuilder of(Anomaly anomaly, String message) {
    AttributesBuilder attributes =
        Attributes.builder()
            .put("modeltracer.anomaly.id", anomaly.id())
            .put("modeltracer.anomaly.kind", anomaly.kind().id())
            .put("modeltracer.anomaly.severity", anomaly.severity().id())
            .put("modeltracer.message", message);
    if (anomaly.layer() != null) {
      attributes.put("modeltracer.layer", anomaly.layer());
    }
    return attributes;
  }

  /** Follows no longer; a span that is open is ended. */
  @Override
  public void close() {
    subscriptions.forEach(Subscription::close);
    span.end();
  }
}
