package org.modeltracer.probe;

import org.modeltracer.model.AttentionRow;

/** Takes rows of attention as they are read. */
interface RowSink {
  /**
   * A row; it may be read during the call only.
   *
   * @param learnedSink whether a learned sink takes part of the row's sum
   */
  void onRow(AttentionRow row, boolean learnedSink);
}
