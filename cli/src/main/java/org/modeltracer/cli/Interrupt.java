package org.modeltracer.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Lets work that is interrupted tidy up: the process ends when this is closed, not before. */
final class Interrupt implements AutoCloseable {
  /** How long work that was ended may take to tidy up, or an assertion's last rites. */
  static final int PATIENCE_SECONDS = 20;

  /** What ends the work in progress, and what is done for it when it does not end. */
  private record Work(Runnable cancel, Runnable overdue) {}

  private final CountDownLatch tidy = new CountDownLatch(1);
  private final Thread onExit = new Thread(this::exiting, "interrupt");
  private volatile @Nullable Work work;
  private volatile boolean exiting;

  Interrupt() {
    Runtime.getRuntime().addShutdownHook(onExit);
  }

  /** Sets what ends the work that is in progress. */
  void cancels(Runnable cancel) {
    cancels(cancel, () -> {});
  }

  /** Sets what ends the work that is in progress, and what is done when it does not end in time. */
  void cancels(Runnable cancel, Runnable overdue) {
    work = new Work(cancel, overdue);
    if (exiting) {
      cancel.run();
    }
  }

  /** Whether the process is about to end. */
  boolean requested() {
    return exiting;
  }

  private void exiting() {
    exiting = true;
    Work current = work;
    if (current == null) {
      return;
    }
    current.cancel.run();
    try {
      if (!tidy.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        current.overdue.run();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    tidy.countDown();
    if (!exiting) {
      try {
        Runtime.getRuntime().removeShutdownHook(onExit);
      } catch (IllegalStateException goingDown) {
        // The process began to exit a moment ago; there is nothing left to remove.
        work = null;
      }
    }
  }
}
