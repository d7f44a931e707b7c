package org.modeltracer.trace;

import java.util.List;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.ResidualChange;

/**
 * Follows a run as it happens. All methods are called by the thread that feeds the tracer, inside
 * the forward pass: be quick, and copy what must be kept. Rows of attention alone may come from a
 * second thread too, where a listener allows it.
 */
public interface TraceListener {
  /** A forward pass begins: its index, the position of its first token, and how many tokens. */
  default void onForward(int forward, int firstPosition, int tokens) {}

  /** A forward pass has ended. */
  default void onForwardEnd(int forward) {}

  /** An anomaly showed for the first time; repeats are only counted. */
  default void onAnomaly(Anomaly anomaly) {}

  /** The root cause of an anomaly already reported was found. */
  default void onRootCause(Anomaly anomaly) {}

  /**
   * Whether rows may come from two threads at once, each with those of one {@link
   * AttentionRow#lane}. A listener that takes no rows says so too: rows are read by two threads
   * where all listeners allow it.
   */
  default boolean inLanes() {
    return false;
  }

  /** Rows of a layer are about to come from two threads; those before are complete. */
  default void onAttentionLayer(int layer) {}

  /** A row of attention; it may be read during the call only. */
  default void onAttentionRow(AttentionRow row) {}

  /** Some tokens passed a layer, from 0; the change may be read during the call only. */
  default void onResidual(int layer, ResidualChange change) {}

  /** A token was generated: step from 0, token id, and its bytes. */
  default void onToken(int step, int token, byte[] piece) {}

  /** The tracer is closed; all anomalies with their repeats and root causes. */
  default void onEnd(List<Anomaly> anomalies) {}
}
