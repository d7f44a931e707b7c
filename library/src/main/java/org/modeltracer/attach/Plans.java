package org.modeltracer.attach;

import java.util.function.IntPredicate;

/** Takes what is wanted of a context's graphs. */
interface Plans {
  /**
   * Sets what is wanted of the nodes of one structure of graphs.
   *
   * @param wants a byte of flags for each node
   */
  void plan(int topology, byte[] wants);

  /** Version of the plans, which every change counts up. */
  int version();

  /** Sets the heads whose rows are wanted. */
  void heads(IntPredicate wanted);

  /** Sets whether sums may be taken in any order, as the kernels of large models take them. */
  void anyOrder(boolean any);

  /** Tells that so many surveys have been answered by a plan. */
  void answered(int surveys);
}
