package org.modeltracer.anomaly;

/**
 * What a rule found; where it was found is known to the caller.
 *
 * @param kind what it is
 * @param severity how bad it is
 * @param message what was measured, without the place
 * @param since how many tokens ago it began, 0 for the one at hand
 */
public record Finding(AnomalyKind kind, Severity severity, String message, int since) {
  static Finding of(AnomalyKind kind, Severity severity, String message) {
    return new Finding(kind, severity, message, 0);
  }

  static Finding of(AnomalyKind kind, String message) {
    return of(kind, kind.severity(), message);
  }

  /** This finding with a sentence that starts with the place. */
  public Finding at(String where) {
    return new Finding(kind, severity, where + ": " + message, since);
  }
}
