package org.modeltracer.weights;

import java.util.Locale;
import org.modeltracer.anomaly.Severity;

/** Kinds of faults that weights show without running. */
public enum WeightFault {
  /** Values that are not a number. */
  NAN(Severity.CRITICAL),
  /** Infinite values. */
  INF(Severity.CRITICAL),
  /** Values far larger, or far smaller, than those of the same tensor in other layers. */
  ABSURD_SCALE(Severity.WARNING),
  /** A weight without the scale tensor that the others of its type have. */
  MISSING_SCALE(Severity.WARNING),
  /** Zeros among the factors that rotary positions are divided by. */
  ZERO_FACTOR(Severity.CRITICAL),
  /** A tensor without a single value that is not zero. */
  ZERO_TENSOR(Severity.WARNING),
  /** An expert of a mixture all of whose values are zero. */
  DEAD_EXPERT(Severity.WARNING),
  /** Rows that are all zero: outputs that never fire, or tokens that never occur. */
  ZERO_ROWS(Severity.INFO);

  private final String id = name().toLowerCase(Locale.ROOT);
  private final Severity severity;

  WeightFault(Severity severity) {
    this.severity = severity;
  }

  /** Name in JSON. */
  public String id() {
    return id;
  }

  /** How bad it is. */
  public Severity severity() {
    return severity;
  }
}
