package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.ffi.GgmlFunctions;
import org.modeltracer.llama.ffi.OfferedFunction;

/**
 * Threads that outlive a graph.
 *
 * <p>Libraries built without OpenMP start and join a set of threads for every range of nodes
 * between two observed ones, which makes observing expensive; with a pool attached they do not.
 */
final class ThreadPool implements AutoCloseable {
  /** Room for any generation's parameters, which the library writes itself; 528 in the known. */
  private static final long PARAMS_BYTES = 4096;

  private final LlamaRuntime runtime;
  private final @Nullable LongConsumer pause;
  private long address;

  /**
   * @param address of the pool, 0 for none
   * @param pause null where the library does not show how: threads that wait keep their processors
   */
  private ThreadPool(LlamaRuntime runtime, long address, @Nullable LongConsumer pause) {
    this.runtime = runtime;
    this.address = address;
    this.pause = pause;
  }

  /** Attaches a pool to a context where the library would go without; else an empty one. */
  static ThreadPool attach(LlamaRuntime runtime, long context, ContextOptions options) {
    int threads = options.threads();
    GgmlFunctions ggml = runtime.ggml().functions();
    OfferedFunction create = runtime.ggml().cpuFunction("ggml_threadpool_new");
    boolean possible = create.exists() && ggml.knowsThreadPoolDefaults();
    if (threads < 2 || !possible || !runtime.wantsThreadPool()) {
      return new ThreadPool(runtime, 0, null);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment params = arena.allocate(PARAMS_BYTES, 8);
      ggml.threadPoolDefaults(params, threads);
      long pool = create.ofStruct(params);
      if (pool == 0) {
        return new ThreadPool(runtime, 0, null);
      }
      runtime.functions().attachThreads(context, pool);
      OfferedFunction pause = create.neighbour("ggml_threadpool_pause");
      return new ThreadPool(runtime, pool, pause.exists() ? pause.repeated() : null);
    }
  }

  boolean attached() {
    return address != 0;
  }

  /** Whether {@link #rest} does something. */
  boolean canRest() {
    return pause != null;
  }

  /**
   * Has the threads sleep instead of wait in a loop for what comes next, which wakes them. To be
   * called between two ranges of nodes.
   */
  void rest() {
    if (pause != null && address != 0) {
      pause.accept(address);
    }
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
