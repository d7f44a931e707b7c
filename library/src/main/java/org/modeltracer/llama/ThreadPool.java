package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Threads that outlive a graph.
 *
 * <p>Libraries built without OpenMP start and join a set of threads for every range of nodes
 * between two observed ones, which makes observing expensive; with a pool attached they do not.
 */
final class ThreadPool implements AutoCloseable {
  private static final long PARAMS_BYTES = 544;
  private static final long N_THREADS = 512;
  private static final long POLL = 520;
  private static final int POLL_DEFAULT = 50;

  private final LlamaRuntime runtime;
  private long address;

  private ThreadPool(LlamaRuntime runtime, long address) {
    this.runtime = runtime;
    this.address = address;
  }

  /** Attaches a pool to a context where the library would go without; else an empty one. */
  static ThreadPool attach(LlamaRuntime runtime, long context, ContextOptions options) {
    int threads = Math.max(options.threads(), options.batchThreads());
    long create = runtime.ggml().cpuFunction("ggml_threadpool_new");
    if (threads < 2 || create == 0 || !runtime.wantsThreadPool()) {
      return new ThreadPool(runtime, 0);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment params = arena.allocate(PARAMS_BYTES, 8);
      params.set(ValueLayout.JAVA_INT, N_THREADS, threads);
      params.set(ValueLayout.JAVA_INT, POLL, POLL_DEFAULT);
      long pool = (long) NativeLibrary.function(create, "p:p").invokeExact(params.address());
      if (pool != 0) {
        runtime
            .library()
            .function("llama_attach_threadpool", "ppp:v")
            .invokeExact(context, pool, pool);
      }
      return new ThreadPool(runtime, pool);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  boolean attached() {
    return address != 0;
  }

  /** Ends the threads; the context must be gone. */
  @Override
  public void close() {
    if (address == 0) {
      return;
    }
    try {
      long free = runtime.ggml().cpuFunction("ggml_threadpool_free");
      NativeLibrary.function(free, "p:v").invokeExact(address);
      address = 0;
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }
}
