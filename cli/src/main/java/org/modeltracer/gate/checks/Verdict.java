package org.modeltracer.gate.checks;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** What came of a check. */
public enum Verdict {
  /** The check ran, and the file stands. */
  PASS,
  /** The check ran, and the file does not stand. */
  FAIL,
  /** The check did not run; the message says why. Never a pass. */
  SKIPPED,
  /** The check could not be brought to an end: a crash, a time limit, our own fault. */
  ERROR;

  private final String id = name().toLowerCase(Locale.ROOT);

  /** Name in JSON. */
  @JsonValue
  public String id() {
    return id;
  }
}
