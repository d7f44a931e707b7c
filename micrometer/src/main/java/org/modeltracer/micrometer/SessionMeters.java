package org.modeltracer.micrometer;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.model.Subscription;
import org.modeltracer.session.Generation;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;

/**
 * Meters of a session, by OpenTelemetry's semantic conventions for generative AI where these have a
 * name.
 *
 * <table>
 * <caption>Meters</caption>
 * <tr><td>{@code gen_ai.server.request.duration}</td><td>timer: a text, from its first token
 *     computed to its end; {@code error.type} is {@code none}, or the class of what ended it</td>
 * </tr>
 * <tr><td>{@code gen_ai.server.time_to_first_token}</td><td>timer: the prompt of a text that was
 *     continued</td></tr>
 * <tr><td>{@code gen_ai.server.time_per_output_token}</td><td>timer: mean of a text's tokens after
 *     the first</td></tr>
 * <tr><td>{@code gen_ai.client.token.usage}</td><td>summary: tokens of a text, {@code
 *     gen_ai.token.type} {@code input} or {@code output}</td></tr>
 * <tr><td>{@code modeltracer.forward}</td><td>timer: a forward pass</td></tr>
 * <tr><td>{@code modeltracer.anomalies}</td><td>counter: distinct anomalies, by {@code kind} and
 *     {@code severity}</td></tr>
 * </table>
 *
 * <p>All carry {@code gen_ai.operation.name}, {@code gen_ai.provider.name} and {@code
 * gen_ai.request.model}, the name of the model's file. Passes and anomalies are those that the
 * session's tracer sees.
 */
public final class SessionMeters implements TraceListener, SessionListener, AutoCloseable {
  private final MeterRegistry registry;
  private final Tags tags;
  private final Timer forward;
  private final List<Subscription> subscriptions;
  private long textBegin;
  private long passBegin;

  /** What has begun before it was followed has no beginning. */
  private boolean inText;

  private boolean inPass;

  private SessionMeters(MeterRegistry registry, TracedSession session, ModelTracer tracer) {
    this.registry = registry;
    tags =
        Tags.of(
            "gen_ai.operation.name",
            "text_completion",
            "gen_ai.provider.name",
            "llama.cpp",
            "gen_ai.request.model",
            session.context().model().file().getFileName().toString());
    forward = registry.timer("modeltracer.forward", tags);
    subscriptions = List.of(session.listen(this), tracer.addListener(this));
  }

  /**
   * Has a registry follow a session from now on.
   *
   * @param tracer the session's
   */
  public static SessionMeters attach(
      MeterRegistry registry, TracedSession session, ModelTracer tracer) {
    return new SessionMeters(registry, session, tracer);
  }

  @Override
  public void onBegin(List<Generation.Token> prompt) {
    textBegin = System.nanoTime();
    inText = true;
  }

  @Override
  public void onEnd(Generation result) {
    request("none");
    usage("input", result.promptTokens());
    usage("output", result.tokens().size());
    int generated = result.tokens().size();
    if (generated > 0) {
      timer("gen_ai.server.time_to_first_token").record(seconds(result.promptSeconds()));
    }
    if (generated > 1) {
      timer("gen_ai.server.time_per_output_token")
          .record(seconds(result.generationSeconds() / (generated - 1)));
    }
  }

  @Override
  public void onFailure(Throwable failure) {
    request(failure.getClass().getName());
  }

  private void request(String errorType) {
    if (inText) {
      registry
          .timer("gen_ai.server.request.duration", tags.and("error.type", errorType))
          .record(Duration.ofNanos(System.nanoTime() - textBegin));
    }
    inText = false;
  }

  private void usage(String type, int tokens) {
    DistributionSummary.builder("gen_ai.client.token.usage")
        .baseUnit("token")
        .tags(tags.and("gen_ai.token.type", type))
        .register(registry)
        .record(tokens);
  }

  private Timer timer(String name) {
    return registry.timer(name, tags);
  }

  private static Duration seconds(double seconds) {
    return Duration.ofNanos(Math.round(seconds * 1e9));
  }

  @Override
  public void onForward(int index, int firstPosition, int tokens) {
    passBegin = System.nanoTime();
    inPass = true;
  }

  @Override
  public void onForwardEnd(int index) {
    if (inPass) {
      forward.record(Duration.ofNanos(System.nanoTime() - passBegin));
    }
    inPass = false;
  }

  @Override
  public void onAnomaly(Anomaly anomaly) {
    Counter.builder("modeltracer.anomalies")
        .tags(tags.and("kind", anomaly.kind().id(), "severity", anomaly.severity().id()))
        .register(registry)
        .increment();
  }

  /** Follows no longer; what was counted stays in the registry. */
  @Override
  public void close() {
    subscriptions.forEach(Subscription::close);
  }
}
