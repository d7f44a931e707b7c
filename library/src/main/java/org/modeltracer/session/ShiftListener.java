package org.modeltracer.session;

/** Told when cached tokens move to other positions. */
public interface ShiftListener {
  /**
   * Positions {@code from <= p < to} of a sequence are about to move by {@code delta}; called on
   * the native thread.
   */
  void onShift(int sequence, int from, int to, int delta);
}
