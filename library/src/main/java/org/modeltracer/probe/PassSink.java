package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/** Takes what a probe reads beyond what the tracer takes; called on the native thread. */
public interface PassSink {
  /** Whether anybody wants the residual stream. */
  boolean wantsStates();

  /** Whether anybody wants the rows of a kind of place. */
  boolean wantsRows(Site site);

  /**
   * One token's state after a layer; to be read during the call only.
   *
   * @param layer layer index, -1 for the embedding
   * @param sequence sequence of the token
   * @param position position of the token
   * @param values holds {@code width} float32 values at byte {@code offset}
   */
  void onState(int layer, int sequence, int position, MemorySegment values, long offset, int width);

  /**
   * One token's values at a place; to be read during the call only.
   *
   * @param place the place, such as the context of a layer: {@code [head, value width]}
   * @param sequence sequence of the token
   * @param position position of the token
   * @param values holds {@code width} float32 values at byte {@code offset}
   */
  void onRow(Place place, int sequence, int position, MemorySegment values, long offset, int width);

  /** A node that somebody wants has been computed; what is shown is valid during the call only. */
  void onNode(NodeValues values);
}
