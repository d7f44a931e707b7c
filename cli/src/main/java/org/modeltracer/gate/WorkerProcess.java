package org.modeltracer.gate;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.OptionalLong;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.modeltracer.process.BoundedLines;
import org.modeltracer.process.LastWords;

/**
 * A worker process seen from outside: its messages, its last words, its memory, and its end.
 *
 * <p>Whatever it prints, little of it is kept. Closing kills it with all that it has started, and
 * so does the end of this process.
 */
final class WorkerProcess implements AutoCloseable {
  private static final int LONGEST_MESSAGE = 64 << 20;
  private static final int LONGEST_LINE = 1 << 14;
  private static final long MOST_BYTES = 256L << 20;
  private static final int PATIENCE_MILLISECONDS = 1000;

  private final Process process;
  private final ResidentMemory memory;
  private final LastWords said = new LastWords();
  private final BlockingQueue<Message> messages = new LinkedBlockingQueue<>();
  private final Thread output;
  private final Thread errors;
  private final Thread onExit = new Thread(this::kill, "worker");
  private volatile boolean flooding;

  /** Starts a process and gives it its job. */
  WorkerProcess(ProcessBuilder builder, Job job) throws IOException {
    process = builder.start();
    memory = new ResidentMemory(process.pid());
    try {
      Runtime.getRuntime().addShutdownHook(onExit);
    } catch (IllegalStateException goingDown) {
      // This program ends already, so the worker has nothing left to do.
      process.destroyForcibly();
    }
    output =
        follow(
            process.getInputStream(),
            LONGEST_MESSAGE,
            line -> WorkerLines.message(job.token(), line).ifPresent(messages::add));
    errors = follow(process.getErrorStream(), LONGEST_LINE, said::accept);
    // A process that never reads must not hold up the one that writes.
    daemon("job", () -> write(WorkerLines.line(job)));
  }

  private Thread follow(InputStream in, int longest, Consumer<String> consumer) {
    return daemon("worker output", () -> drain(in, longest, consumer));
  }

  private void drain(InputStream in, int longest, Consumer<String> consumer) {
    try {
      flooding |= !new BoundedLines(in, longest, MOST_BYTES).read(consumer);
    } catch (IOException e) {
      // The stream was closed with its process: what came of that is seen from its exit code.
      return;
    }
  }

  private static Thread daemon(String name, Runnable work) {
    var thread = new Thread(work, name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  /** Writes the job and leaves the stream open: its end tells the worker that nobody is here. */
  private void write(String job) {
    try {
      OutputStream out = process.getOutputStream();
      out.write((job + "\n").getBytes(StandardCharsets.UTF_8));
      out.flush();
    } catch (IOException e) {
      // A process that has ended already is noticed by its exit code.
      return;
    }
  }

  /** The next message, waiting for it a while; null when none came. */
  @Nullable Message next(long milliseconds) throws InterruptedException {
    return messages.poll(milliseconds, TimeUnit.MILLISECONDS);
  }

  /**
   * Whether it has ended and all its messages have been read; something that it started may hold
   * its output open for ever, and is not waited for.
   */
  boolean ended() throws InterruptedException {
    if (process.isAlive()) {
      return false;
    }
    output.join(PATIENCE_MILLISECONDS);
    return messages.isEmpty();
  }

  /** Whether it printed more than anybody could mean to. */
  boolean flooding() {
    return flooding;
  }

  /** Bytes of memory that it holds, if that is known. */
  OptionalLong memory() {
    return memory.bytes();
  }

  /** Whether asking for its memory costs next to nothing. */
  boolean tellsMemory() {
    return memory.cheap();
  }

  /** Its exit code, once what it printed has been read; it must have ended. */
  int exitCode() throws InterruptedException {
    errors.join(PATIENCE_MILLISECONDS);
    return process.exitValue();
  }

  /** What it printed last. */
  LastWords lastWords() {
    return said;
  }

  /** Ends it and all that it has started. */
  void kill() {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }

  @Override
  public void close() {
    kill();
    try {
      Runtime.getRuntime().removeShutdownHook(onExit);
    } catch (IllegalStateException goingDown) {
      // Then the hook does what this method did.
      return;
    }
  }
}
