package org.modeltracer.gate.checks;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.Supplier;

/** Runs work that recurses deeply, as regular expressions on long words do. */
final class DeepStack {
  private static final long BYTES = 64 << 20;

  private DeepStack() {}

  /** What the work returns or throws. */
  static <T> T call(Supplier<T> work) {
    var task = new FutureTask<>(work::get);
    Thread thread = new Thread(null, task, "tokenizer", BYTES);
    thread.setDaemon(true);
    thread.start();
    try {
      return task.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case RuntimeException failure -> throw failure;
        case Error error -> throw error;
        case null, default -> throw new IllegalStateException(e);
      }
    }
  }
}
