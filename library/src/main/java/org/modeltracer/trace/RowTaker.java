package org.modeltracer.trace;

import org.modeltracer.model.AttentionRow;

/** Takes rows of attention as they are read. */
public interface RowTaker {
  /**
   * A row; it may be read during the call only.
   *
   * @param learnedSink whether a learned sink takes part of the row's sum
   */
  void onRow(AttentionRow row, boolean learnedSink);
}
