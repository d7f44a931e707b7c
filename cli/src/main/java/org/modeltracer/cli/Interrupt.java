package org.modeltracer.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Lets work that is interrupted tidy up: the process ends when this is closed, not before. */
final class Interrupt implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 20;

  private final CountDownLatch tidy = new CountDownLatch(1);
  private final Thread onExit = new Thread(this::exiting, "interrupt");
  private volatile Runnable cancel = () -> {};
  private volatile boolean exiting;

  Interrupt() {
    Runtime.getRuntime().addShutdownHook(onExit);
  }

  /** Sets what ends the work that is in progress. */
  void cancels(Runnable work) {
    cancel = work;
    if (exiting) {
      work.run();
    }
  }

  private void exiting() {
    exiting = true;
    cancel.run();
    try {
      var unused = tidy.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
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
        cancel = () -> {};
      }
    }
  }
}
