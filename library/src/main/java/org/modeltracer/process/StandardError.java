package org.modeltracer.process;

/**
 * Standard error of a process that was started without, so that what Java says as it starts reaches
 * nobody.
 */
public final class StandardError {
  /** Property that says so. */
  static final String KEPT = "modeltracer.stderr";

  private static final int WAITING = 3;

  /** Has a shell keep it. */
  static final String ASIDE = "exec " + WAITING + ">&2 2>/dev/null; ";

  private StandardError() {}

  /** Descriptor under which it waits to be taken back, -1 where it is in its place. */
  public static int waiting() {
    return Boolean.getBoolean(KEPT) ? WAITING : -1;
  }
}
