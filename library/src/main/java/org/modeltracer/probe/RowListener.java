package org.modeltracer.probe;

import java.lang.foreign.MemorySegment;
import org.modeltracer.model.Place;

/** Receives the values of a place token by token as they pass. */
public interface RowListener {
  /**
   * One token's values at a place; to be read during the call only.
   *
   * @param place the place, such as the context of a layer: {@code [head, value width]}
   * @param sequence sequence of the token
   * @param position position of the token
   * @param values holds {@code width} float32 values at byte {@code offset}
   */
  void onRow(Place place, int sequence, int position, MemorySegment values, long offset, int width);
}
