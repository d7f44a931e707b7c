package org.modeltracer.trace;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.model.Subscription;

/** Reports anomalies to listeners, flight recorder, and the log when nobody else does. */
final class Announcer {
  private static final System.Logger LOG = System.getLogger("org.modeltracer");

  final TraceEvents events = new TraceEvents();
  private final boolean quiet;
  private volatile TraceListener[] listeners = {};
  private @Nullable Anomaly worst;

  /**
   * @param quiet whether what nobody listens for stays out of the log
   */
  Announcer(boolean quiet) {
    this.quiet = quiet;
  }

  /** The listeners, in the order in which they were added. */
  TraceListener[] listeners() {
    return listeners;
  }

  synchronized Subscription add(TraceListener listener) {
    TraceListener[] more = Arrays.copyOf(listeners, listeners.length + 1);
    more[more.length - 1] = listener;
    listeners = more;
    // Known by its place: one that was added twice is taken off twice.
    var handle = new AtomicReference<@Nullable TraceListener>(listener);
    return () -> remove(handle.getAndSet(null));
  }

  private synchronized void remove(@Nullable TraceListener listener) {
    int at = Arrays.asList(listeners).indexOf(listener);
    if (at >= 0) {
      TraceListener[] fewer = Arrays.copyOf(listeners, listeners.length - 1);
      System.arraycopy(listeners, at + 1, fewer, at, fewer.length - at);
      listeners = fewer;
    }
  }

  /** Takes an anomaly that was just counted; reports it only when it is {@code fresh}. */
  void announce(Anomaly anomaly, boolean fresh) {
    if (worst == null || anomaly.severity().compareTo(worst.severity()) > 0) {
      worst = anomaly;
    }
    if (!fresh) {
      return;
    }
    boolean told = quiet || listeners.length > 0 || anomaly.severity() == Severity.INFO;
    LOG.log(told ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING, anomaly::toString);
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
}
