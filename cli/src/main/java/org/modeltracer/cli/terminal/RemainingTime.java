package org.modeltracer.cli.terminal;

import java.time.Duration;

/**
 * How long the rest of some work takes, if it goes on as it went so far.
 *
 * @param nanos estimated time; negative while too little is done to tell
 */
record RemainingTime(long nanos) {
  private static final long SETTLED = Duration.ofSeconds(2).toNanos();

  /** An estimate from the time that the part already done took. */
  static RemainingTime of(long elapsedNanos, long done, long all) {
    if (elapsedNanos < SETTLED || done <= 0 || done > all) {
      return new RemainingTime(-1);
    }
    return new RemainingTime((long) ((double) elapsedNanos / done * (all - done)));
  }

  /** In hours, minutes and seconds, such as {@code 3:05 left}; empty where it is not known. */
  String words() {
    if (nanos < 0) {
      return "";
    }
    Duration left = Duration.ofSeconds(Math.round(nanos / 1e9));
    return left.toHours() > 0
        ? "%d:%02d:%02d left".formatted(left.toHours(), left.toMinutesPart(), left.toSecondsPart())
        : "%d:%02d left".formatted(left.toMinutes(), left.toSecondsPart());
  }
}
