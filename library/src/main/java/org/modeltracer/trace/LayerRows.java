package org.modeltracer.trace;

/** The rows of a layer, of which half the heads may be read while the other half is. */
public interface LayerRows {
  /** Reads the rows of a lane, 0 or 1: its heads of each query, queries in ascending order. */
  void read(int lane, RowTaker taker);
}
