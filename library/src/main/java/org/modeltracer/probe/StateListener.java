package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;

/** Receives the residual stream as it passes. */
public interface StateListener {
  /**
   * One token's state after a layer; to be read during the call only.
   *
   * @param layer layer index, -1 for the embedding
   * @param sequence sequence of the token
   * @param position position of the token
   * @param values holds {@code width} float32 values at byte {@code offset}
   */
  void onState(int layer, int sequence, int position, MemorySegment values, long offset, int width);
}
