package org.modeltracer.trace;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.RootCause;

/**
 * The tracer's events for JDK Flight Recorder. Without a recording they cost nothing, which is why
 * forward passes and tokens use one event object over and over.
 *
 * <p>Session and model are numbers of those that feed the tracer, 0 where nobody named them.
 */
final class TraceEvents {
  private final Forward forward = new Forward();
  private final Token token = new Token();
  private long session;
  private long model;

  @Name("modeltracer.Anomaly")
  @Label("Anomaly")
  @Description("An anomaly showed for the first time")
  @Category("ModelTracer")
  @StackTrace(false)
  static final class Found extends Event {
    @Label("Session")
    long session;

    @Label("Model")
    long model;

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

  @Name("modeltracer.RootCause")
  @Label("Root Cause")
  @Description("The root cause of an anomaly was found")
  @Category("ModelTracer")
  @StackTrace(false)
  static final class Explained extends Event {
    @Label("Session")
    long session;

    @Label("Model")
    long model;

    @Label("Anomaly")
    @Description("Id of the anomaly")
    int anomaly;

    @Label("Severity")
    String severity = "";

    @Label("Kind")
    String kind = "";

    @Label("Cause")
    String cause = "";

    @Label("Node")
    String node = "";

    @Label("Layer")
    @Description("-1 for the embedding and for what belongs to no layer")
    int layer;

    @Label("Position")
    int position;

    @Label("Weight")
    @Description("Tensor of the file that is to blame, if one is")
    String weight = "";

    @Label("Message")
    String message = "";
  }

  @Name("modeltracer.Forward")
  @Label("Forward Pass")
  @Description("A forward pass, from beginForward to endForward")
  @Category("ModelTracer")
  @StackTrace(false)
  static final class Forward extends Event {
    @Label("Session")
    long session;

    @Label("Model")
    long model;

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
  @Description("A token was generated, from the beginning of the pass that it was chosen by")
  @Category("ModelTracer")
  @StackTrace(false)
  static final class Token extends Event {
    @Label("Session")
    long session;

    @Label("Model")
    long model;

    @Label("Step")
    int step;

    @Label("Token")
    int token;
  }

  /** Whose passes come next. */
  void fedBy(long sessionNumber, long modelNumber) {
    session = sessionNumber;
    model = modelNumber;
  }

  void beginForward() {
    token.begin();
    forward.begin();
  }

  void endForward(int index, int firstPosition, int tokens, long anomalies) {
    forward.end();
    if (forward.shouldCommit()) {
      forward.session = session;
      forward.model = model;
      forward.forward = index;
      forward.firstPosition = firstPosition;
      forward.tokens = tokens;
      forward.anomalies = anomalies;
      forward.commit();
    }
  }

  void token(int step, int id) {
    token.end();
    if (token.shouldCommit()) {
      token.session = session;
      token.model = model;
      token.step = step;
      token.token = id;
      token.commit();
    }
  }

  void anomaly(Anomaly anomaly) {
    var event = new Found();
    if (event.shouldCommit()) {
      event.session = session;
      event.model = model;
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

  void rootCause(Anomaly anomaly, RootCause cause) {
    var event = new Explained();
    if (event.shouldCommit()) {
      event.session = session;
      event.model = model;
      event.anomaly = anomaly.id();
      event.severity = anomaly.severity().id();
      event.kind = anomaly.kind().id();
      event.cause = cause.cause().id();
      event.node = cause.node();
      event.layer = orMinusOne(cause.layer());
      event.position = orMinusOne(cause.position());
      event.weight = cause.weight() == null ? "" : cause.weight();
      event.message = cause.message();
      event.commit();
    }
  }

  private static int orMinusOne(@Nullable Integer value) {
    return value == null ? -1 : value;
  }
}
