package org.modeltracer.cli.terminal;

/** How the program ends, for scripts. */
public enum ExitCode {
  /** All well. */
  PASS(0),
  /** Findings at or above the threshold. */
  FINDINGS(1),
  /** Wrong usage: an option, or options that do not suit the model. */
  USAGE(2),
  /** A model file that is malformed or cannot be loaded. */
  BAD_FILE(3),
  /** Nothing was checked, or not all of it could be, which is not a pass. */
  NOTHING(4),
  /** The runtime failed, or this program did. */
  FAILURE(5),
  /** Interrupted; what was traced is on disk. */
  INTERRUPTED(130);

  private final int code;

  ExitCode(int code) {
    this.code = code;
  }

  public int code() {
    return code;
  }
}
