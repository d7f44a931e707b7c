package org.modeltracer.session;

import org.modeltracer.anomaly.Anomaly;

/** Told of passes in which something was wrong. */
public interface AnomalyListener {
  /**
   * A pass has ended whose worst anomaly was this; called on the native thread.
   *
   * @param replay the pass, which can be run again during this call
   */
  void onAnomalousPass(Anomaly worst, Replay replay);
}
