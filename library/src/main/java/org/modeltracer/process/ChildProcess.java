package org.modeltracer.process;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.OptionalInt;

/**
 * A process that this one has started: messages to and fro, its last words, and its end.
 *
 * <p>Whatever it prints, little of it is kept. Closing kills it with all that it has started, and
 * so does the end of this process.
 *
 * @param <S> what is sent to it
 * @param <R> what it says
 */
public final class ChildProcess<S, R> implements AutoCloseable {
  private static final int LONGEST_LINE = 1 << 14;
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  /** What the process has started may hold its output open for ever. */
  private static final Duration PATIENCE_FOR_OUTPUT = Duration.ofSeconds(1);

  private final Process process;
  private final MessageChannel<S, R> channel;
  private final BoundedLines errors;
  private final LastWords said = new LastWords();
  private final Thread listener;
  private final Thread onExit = new Thread(this::kill, "child");

  /**
   * Starts a process.
   *
   * @param most bytes that it may print on either stream before {@link #floods}
   */
  public ChildProcess(ProcessBuilder builder, long most, Class<S> sent, Class<R> received)
      throws IOException {
    process = builder.start();
    try {
      Runtime.getRuntime().addShutdownHook(onExit);
    } catch (IllegalStateException goingDown) {
      // This program ends already, so the child has nothing left to do.
      process.destroyForcibly();
    }
    InputStream in = process.getInputStream();
    channel = MessageChannel.toChild(in, process.getOutputStream(), most, sent, received);
    errors = new BoundedLines(process.getErrorStream(), LONGEST_LINE, most);
    listener = Thread.ofPlatform().daemon().name("errors of child").start(this::listen);
  }

  private void listen() {
    try {
      for (String line = errors.next(); line != null; line = errors.next()) {
        said.accept(line);
      }
    } catch (IOException closed) {
      // With its process: what came of that is seen from its exit code.
      return;
    }
  }

  /** Messages to it and from it; those from it are for one thread to read. */
  public MessageChannel<S, R> channel() {
    return channel;
  }

  /** Its process id. */
  public long pid() {
    return process.pid();
  }

  /** Whether it is still at work. */
  public boolean alive() {
    return process.isAlive();
  }

  /** Whether it printed more than anybody could mean to. */
  public boolean floods() {
    return channel.exceeded() || errors.exceeded();
  }

  /**
   * Waits a few seconds for its end, and for all that it printed.
   *
   * @return its exit code; empty when it has not ended
   */
  public OptionalInt exitCode() throws InterruptedException {
    if (!process.waitFor(PATIENCE)) {
      return OptionalInt.empty();
    }
    listener.join(PATIENCE_FOR_OUTPUT);
    return OptionalInt.of(process.exitValue());
  }

  /** What it printed last to standard error. */
  public LastWords lastWords() {
    return said;
  }

  /** Ends it and all that it has started. */
  public void kill() {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }

  @Override
  public void close() {
    kill();
    try {
      Runtime.getRuntime().removeShutdownHook(onExit);
      process.waitFor(PATIENCE);
    } catch (IllegalStateException goingDown) {
      // Then the hook does what this method did.
      return;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
