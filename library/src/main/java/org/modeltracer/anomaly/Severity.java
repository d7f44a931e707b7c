package org.modeltracer.anomaly;

import java.util.Locale;

/** How bad an anomaly is, in ascending order. */
public enum Severity {
  /** Worth knowing; the output of the model is not in doubt. */
  INFO,
  /** Unusual in a healthy model; the output may have suffered. */
  WARNING,
  /** The output of the model is wrong or about to be. */
  CRITICAL;

  private final String id = name().toLowerCase(Locale.ROOT);

  /** Name in JSON and on the command line. */
  public String id() {
    return id;
  }
}
