package org.modeltracer.anomaly;

import java.util.Locale;

/** Classes of root causes. */
public enum Cause {
  /** A weight of the file is NaN, infinite or absurdly scaled. */
  BAD_WEIGHT,
  /**
   * A finite value left the range of F16: in a product, a cache write, or flash attention's sums.
   */
  F16_OVERFLOW,
  /** The sum that a q8_1 block stores in F16 left its range. */
  BLOCK_SUM_OVERFLOW,
  /** A softmax row without a single visible key. */
  MASKED_ROW,
  /** An expert of a mixture is dead or poisoned. */
  EXPERT,
  /** A cell of the KV cache held bad values, written by an earlier step. */
  POISONED_KV,
  /** The backend's kernel is at fault: the same operation on the CPU is finite. */
  BACKEND_KERNEL,
  /** The inputs of the pass were bad already. */
  PROPAGATED,
  /** None of the other classes could be shown. */
  UNKNOWN;

  private final String id = name().toLowerCase(Locale.ROOT);

  /** Name in JSON. */
  public String id() {
    return id;
  }
}
