package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.modeltracer.llama.ffi.GgmlFunctions;
import org.modeltracer.llama.ffi.OfferedFunction;

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
    OfferedFunction create = runtime.ggml().cpuFunction("ggml_threadpool_new");
    if (threads < 2 || !create.exists() || !runtime.wantsThreadPool()) {
      return new ThreadPool(runtime, 0);
    }
    try (Arena arena = Arena.ofConfined()) {
      long pool = create.ofStruct(params(runtime, arena, threads));
      if (pool != 0) {
        runtime.functions().attachThreads(context, pool);
      }
      return new ThreadPool(runtime, pool);
    }
  }

  /** What makes a pool; the library's own defaults tell whether fields are where they are known. */
  private static MemorySegment params(LlamaRuntime runtime, Arena arena, int threads) {
    MemorySegment params = arena.allocate(PARAMS_BYTES, 8);
    GgmlFunctions ggml = runtime.ggml().functions();
    if (ggml.knowsThreadPoolDefaults()) {
      ggml.threadPoolDefaults(params, threads);
      int read = params.get(ValueLayout.JAVA_INT, N_THREADS);
      int poll = params.get(ValueLayout.JAVA_INT, POLL);
      if (read != threads || poll != POLL_DEFAULT) {
        throw Ggml.unknown(
            "ggml_threadpool_params",
            "defaults for %d threads read as %d threads, poll %d".formatted(threads, read, poll));
      }
    }
    params.set(ValueLayout.JAVA_INT, N_THREADS, threads);
    params.set(ValueLayout.JAVA_INT, POLL, POLL_DEFAULT);
    return params;
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
    runtime.ggml().cpuFunction("ggml_threadpool_free").run(address);
    address = 0;
  }
}
