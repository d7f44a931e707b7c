package org.modeltracer.cli;

import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.diagnose.Diagnosis;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;

/** Watches, in a command that reads a model for something else, whether its numbers are numbers. */
final class BrokenNumbers implements AutoCloseable {
  private static final Set<AnomalyKind> BROKEN =
      EnumSet.of(AnomalyKind.NAN, AnomalyKind.INF, AnomalyKind.MASKED_ROW, AnomalyKind.LOGITS);

  private final ModelTracer tracer;
  private final Diagnosis diagnosis;
  private @Nullable Anomaly first;

  private BrokenNumbers(ModelTracer tracer, Diagnosis diagnosis) {
    this.tracer = tracer;
    this.diagnosis = diagnosis;
  }

  /**
   * Watches a session; the tracer, which is its, traces activations. Close it before the session.
   */
  static BrokenNumbers watch(TracedSession session, ModelTracer tracer, GgufFile file) {
    return new BrokenNumbers(tracer, Diagnosis.attach(session, tracer, file));
  }

  /** Has the tracer forget what it saw, but for where the numbers broke. */
  void forget() {
    first = first();
    tracer.clear();
  }

  private @Nullable Anomaly first() {
    return first != null
        ? first
        : tracer.anomalies().stream()
            .filter(a -> a.severity() == Severity.CRITICAL && BROKEN.contains(a.kind()))
            .findFirst()
            .orElse(null);
  }

  /** Says in one line where the numbers broke first, as a finding; nothing where they did not. */
  void complain() {
    Anomaly broken = first();
    if (broken != null) {
      throw new CliException(
          ExitCode.FINDINGS, "the model's numbers are broken, first in " + cause(broken));
    }
  }

  private static String cause(Anomaly first) {
    var cause = first.rootCause();
    return cause == null ? first.message() : cause.message();
  }

  @Override
  public void close() {
    diagnosis.close();
  }
}
