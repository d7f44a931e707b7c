package org.modeltracer.trace;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;

/**
 * The tracer's events for JDK Flight Recorder. Without a recording they cost nothing, which is why
 * forward passes and tokens use one event object over and over.
 */
final class TraceEvents {
  private final Forward forward = new Forward();
  private final Token token = new Token();

  @Name("modeltracer.Anomaly")
  @Label("Anomaly")
  @Description("An anomaly showed for the first time")
  @Category("ModelTracer")
  @StackTrace(false)
  static final class Found extends Event {
    @Label("Id")
    int id;

    @Label("Severity")
    String severity = "";

    @Label("Kind")
    String kind = "";

    @Label("Site")
    String site = "";

    @Label("Layer")
    @Description("-1 for the embedding and for what belongs to no layer")
    int layer;

    @Label("Tensor")
    String tensor = "";

    @Label("Forward")
    int forward;

    @Label("Position")
    int position;

    @Label("Message")
    String message = "";
  }

  @Name("modeltracer.Forward")
  @Label("Forward Pass")
  @Description("A forward pass, from beginForward to endForward")
  @Category("ModelTracer")
  @StackTrace(false)
  static final class Forward extends Event {
    @Label("Forward")
    int forward;

    @Label("First Position")
    int firstPosition;

    @Label("Tokens")
    int tokens;

    @Label("Anomalies")
    @Description("Anomalies so far, repeats included")
    long anomalies;
  }

  @Name("modeltracer.Token")
  @Label("Token")
  @Description("A token was generated")
  @Category("ModelTracer")
  @StackTrace(false)
  static final class Token extends Event {
    @Label("Step")
    int step;

    @Label("Token")
    int token;
  }

  void beginForward() {
    forward.begin();
  }

  void endForward(int index, int firstPosition, int tokens, long anomalies) {
    forward.end();
    if (forward.shouldCommit()) {
      forward.forward = index;
      forward.firstPosition = firstPosition;
      forward.tokens = tokens;
      forward.anomalies = anomalies;
      forward.commit();
    }
  }

  void token(int step, int id) {
    token.begin();
    if (token.shouldCommit()) {
      token.step = step;
      token.token = id;
      token.commit();
    }
  }

  void anomaly(Anomaly anomaly) {
    var event = new Found();
    if (event.shouldCommit()) {
      event.id = anomaly.id();
      event.severity = anomaly.severity().id();
      event.kind = anomaly.kind().id();
      event.site = anomaly.site() == null ? "" : anomaly.site().id();
      event.layer = orMinusOne(anomaly.layer());
      event.tensor = anomaly.tensor() == null ? "" : anomaly.tensor();
      event.forward = orMinusOne(anomaly.forward());
      event.position = orMinusOne(anomaly.position());
      event.message = anomaly.message();
      event.commit();
    }
  }

  private static int orMinusOne(@Nullable Integer value) {
    return value == null ? -1 : value;
  }
}
