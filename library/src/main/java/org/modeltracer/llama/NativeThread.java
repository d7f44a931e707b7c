package org.modeltracer.llama;

import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.ffi.LinkException;
import org.modeltracer.llama.ffi.NativeLibrary;

/**
 * The one platform thread that runs a runtime's native code.
 *
 * <p>llama.cpp's tokenizer recurses deeply through regular expressions and OpenMP keeps a team of
 * threads per calling thread; a thread of our own has the stack for the one and spares the other.
 */
final class NativeThread {
  private static final long STACK_BYTES = 64L << 20;

  private final ExecutorService executor;
  private volatile @Nullable Thread thread;

  NativeThread(String name) {
    executor =
        Executors.newSingleThreadExecutor(
            task -> {
              Thread t = new Thread(null, task, name, STACK_BYTES);
              t.setDaemon(true);
              thread = t;
              return t;
            });
  }

  /** Runs a task on the native thread and waits for it; exceptions arrive as they were thrown. */
  <T> T call(Callable<T> task) {
    if (isCurrent()) {
      return direct(task);
    }
    Future<T> result = executor.submit(task);
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return result.get();
        } catch (InterruptedException e) {
          // Native code cannot be left half way: wait for it, remember the interrupt.
          interrupted = true;
        } catch (ExecutionException e) {
          throw passedOn(Objects.requireNonNull(e.getCause()));
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  boolean isCurrent() {
    return Thread.currentThread() == thread;
  }

  private static <T> T direct(Callable<T> task) {
    try {
      return task.call();
    } catch (Exception e) {
      throw passedOn(e);
    }
  }

  private static RuntimeException passedOn(Throwable failure) {
    return failure instanceof LinkException e
        ? new LlamaException(LlamaException.Kind.LIBRARY, String.valueOf(e.getMessage()), e)
        : NativeLibrary.unexpected(failure);
  }

  void close() {
    executor.shutdown();
  }
}
