package org.modeltracer.gate;

import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * When everything has to be done.
 *
 * @param limit time for everything
 * @param end that moment, of {@link System#nanoTime}
 */
public record Deadline(Duration limit, long end) {
  private static final long STACK_BYTES = 8L << 20;

  /** As much time from now on. */
  public static Deadline in(Duration limit) {
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

  /**
   * The outcome of some work, which is done on a thread of its own that does not keep the program
   * alive.
   *
   * @throws TimeoutException when it is not there in time; the work is interrupted then
   * @throws InterruptedException when the caller is interrupted; the work is then too
   * @throws ExecutionException with whatever the work threw
   */
  <T> T await(String name, Callable<T> work)
      throws TimeoutException, InterruptedException, ExecutionException {
    var task = new FutureTask<>(work);
    var thread = new Thread(null, task, name, STACK_BYTES);
    thread.setDaemon(true);
    thread.start();
    try {
      return task.get(left(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException | InterruptedException e) {
      thread.interrupt();
      throw e;
    }
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
