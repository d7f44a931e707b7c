package org.modeltracer.gate;

import java.io.IOException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.modeltracer.process.ChildProcess;

/** A worker process seen from outside: its messages as they come, its memory, and its end. */
final class WorkerProcess implements AutoCloseable {
  private static final long MOST_BYTES = 256L << 20;
  private static final int PATIENCE_MILLISECONDS = 1000;

  private final ChildProcess<Job, Message> child;
  private final ResidentMemory memory;
  private final BlockingQueue<Message> messages = new LinkedBlockingQueue<>();
  private final Thread output;

  /** Starts a process and gives it its job. */
  WorkerProcess(ProcessBuilder builder, Job job) throws IOException {
    child = new ChildProcess<>(builder, MOST_BYTES, Job.class, Message.class);
    memory = new ResidentMemory(child.pid());
    output = Thread.ofPlatform().daemon().name("worker output").start(this::listen);
    // A process that never reads must not hold up the one that writes.
    Thread.ofPlatform().daemon().name("job").start(() -> send(job));
  }

  private void listen() {
    try {
      for (Message message = child.channel().next();
          message != null;
          message = child.channel().next()) {
        messages.add(message);
      }
    } catch (IOException closed) {
      // With its process: what came of that is seen from its exit code.
      return;
    }
  }

  private void send(Job job) {
    try {
      child.channel().send(job);
    } catch (IOException ended) {
      // Which is noticed by its exit code.
      return;
    }
  }

  /** The process. */
  ChildProcess<Job, Message> child() {
    return child;
  }

  /** Its memory. */
  ResidentMemory memory() {
    return memory;
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
    if (child.alive()) {
      return false;
    }
    output.join(PATIENCE_MILLISECONDS);
    return messages.isEmpty();
  }

  @Override
  public void close() {
    child.close();
  }
}
