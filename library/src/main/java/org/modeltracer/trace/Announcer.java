package org.modeltracer.trace;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.Severity;

/** Tells whoever listens: listeners, flight recorder, and the log when nobody else does. */
final class Announcer {
  private static final System.Logger LOG = System.getLogger("org.modeltracer");

  final TraceEvents events = new TraceEvents();
  TraceListener[] listeners = {};
  private @Nullable Anomaly worst;

  void add(TraceListener listener) {
    listeners = Arrays.copyOf(listeners, listeners.length + 1);
    listeners[listeners.length - 1] = listener;
  }

  /** Takes an anomaly that was just counted; tells of it only when it is {@code fresh}. */
  void announce(Anomaly anomaly, boolean fresh) {
    if (worst == null || anomaly.severity().compareTo(worst.severity()) > 0) {
      worst = anomaly;
    }
    if (!fresh) {
      return;
    }
    boolean quiet = listeners.length > 0 || anomaly.severity() == Severity.INFO;
    LOG.log(quiet ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING, anomaly::toString);
    events.anomaly(anomaly);
    for (TraceListener listener : listeners) {
      listener.onAnomaly(anomaly);
    }
  }

  /** The first of the highest severity since the last call, if any. */
  @Nullable Anomaly takeWorst() {
    Anomaly taken = worst;
    worst = null;
    return taken;
  }

  /** Tells of tokens that passed a layer. */
  void residual(int layer, int rows, double in, double delta, double out, double cosine) {
    for (TraceListener listener : listeners) {
      listener.onResidual(layer, rows, in, delta, out, cosine);
    }
  }
}
