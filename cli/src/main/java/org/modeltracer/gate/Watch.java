package org.modeltracer.gate;

import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import org.modeltracer.process.ExitStatus;

/** Waits for a worker's messages, and ends a worker that does not keep to the limits. */
final class Watch {
  private static final long POLL_MILLISECONDS = 50;
  private static final long SECOND = 1_000_000_000L;
  private static final long MEGABYTE = 1 << 20;

  /** Time for a process to go down after llama.cpp has given up. */
  private static final long GRACE = 2 * SECOND;

  /**
   * How a worker ended before its time.
   *
   * @param words what is said of the check that was under way
   * @param afterwards why no other worker can carry on; null when one can
   */
  record End(String words, @Nullable String afterwards) {}

  private final WorkerProcess process;
  private final Deadline deadline;
  private final long memoryBytes;
  private final long memoryInterval;
  private long nextMemory = System.nanoTime();
  private long graceEnd = Long.MAX_VALUE;
  private @Nullable String heard;
  private @Nullable End end;

  Watch(WorkerProcess process, Deadline deadline, long memoryBytes) {
    this.process = process;
    this.deadline = deadline;
    this.memoryBytes = memoryBytes;
    memoryInterval = process.memory().cheap() ? SECOND / 20 : 2 * SECOND;
  }

  /** The next message; null when the worker has ended without saying so. */
  @Nullable Message next() {
    while (true) {
      try {
        Message message = process.next(POLL_MILLISECONDS);
        if (message == null && process.ended()) {
          end = exited();
          return null;
        }
        end = exceeded();
        if (end != null) {
          process.child().kill();
          return null;
        }
        if (message instanceof Message.LastWords(var words)) {
          heard = words;
          graceEnd = System.nanoTime() + GRACE;
        } else if (message != null) {
          return message;
        }
      } catch (InterruptedException e) {
        process.child().kill();
        Thread.currentThread().interrupt();
        end = new End("interrupted", "interrupted");
        return null;
      }
    }
  }

  /** How it ended, after {@link #next} has returned null. */
  End end() {
    if (end == null) {
      throw new IllegalStateException("it has not ended");
    }
    return end;
  }

  private End exited() throws InterruptedException {
    int code = process.child().exitCode().orElseThrow();
    if (ExitStatus.interrupted(code)) {
      return new End("interrupted", "interrupted");
    }
    return new End(
        "the process with llama.cpp went down, "
            + ExitStatus.words(code, heard, process.child().lastWords()),
        null);
  }

  private @Nullable End exceeded() {
    if (deadline.passed()) {
      return new End(deadline.exceeded(), deadline.tooLate());
    }
    if (process.child().floods()) {
      return new End("the process with llama.cpp printed without end", null);
    }
    if (System.nanoTime() > graceEnd) {
      return new End("the process with llama.cpp gave up: " + heard, null);
    }
    return memoryBytes > 0 && System.nanoTime() > nextMemory ? exceededMemory() : null;
  }

  private @Nullable End exceededMemory() {
    nextMemory = System.nanoTime() + memoryInterval;
    OptionalLong bytes = process.memory().bytes();
    return bytes.orElse(0) > memoryBytes
        ? new End(
            "the process with llama.cpp took %d MB of memory, more than the %d MB of the policy"
                .formatted(bytes.getAsLong() / MEGABYTE, memoryBytes / MEGABYTE),
            null)
        : null;
  }
}
