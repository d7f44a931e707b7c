package org.modeltracer.gate;

import java.time.Duration;
import java.util.Locale;

/**
 * When everything has to be done.
 *
 * @param limit time for everything
 * @param end that moment, of {@link System#nanoTime}
 */
record Deadline(Duration limit, long end) {
  /** As much time from now on. */
  static Deadline in(Duration limit) {
    // Longer than a year is for ever, and would overflow.
    long nanos = Math.min(limit.toSeconds(), Duration.ofDays(365).toSeconds()) * 1_000_000_000L;
    return new Deadline(limit, System.nanoTime() + nanos + limit.toNanosPart());
  }

  /** Nanoseconds left, 0 when there are none. */
  long left() {
    return Math.max(0, end - System.nanoTime());
  }

  /** Whether there is no time left. */
  boolean passed() {
    return left() == 0;
  }

  /** What is said of the work that was under way. */
  String exceeded() {
    return "ran longer than the " + seconds() + " s that the policy allows for everything";
  }

  /** What is said of the work that had not begun. */
  String tooLate() {
    return "no time was left of the " + seconds() + " s that the policy allows for everything";
  }

  private String seconds() {
    return String.format(Locale.ROOT, "%.3f", limit.toMillis() / 1e3).replaceAll("\\.?0+$", "");
  }
}
