package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;

/**
 * The backends of the devices that hold some weights, the processor last, under one scheduler.
 *
 * <p>They are instances of our own: those of a context belong to llama.cpp. A scheduler moves what
 * one backend made to where the next one computes.
 */
final class Backends implements AutoCloseable {
  private static final int CPU = 0;

  private final LlamaRuntime runtime;
  private final NativeLibrary library;
  private final List<Long> weights;
  private final List<Long> backends = new ArrayList<>();
  private final MethodHandle compute;
  private long scheduler;

  Backends(LlamaRuntime runtime, List<Long> weights, int threads) {
    this.runtime = runtime;
    this.weights = weights;
    library = runtime.library();
    compute = library.function("ggml_backend_sched_graph_compute", "pp:i");
    try {
      var devices = new LinkedHashSet<Long>();
      for (long weight : weights) {
        long device = deviceOf(weight);
        if (device != 0 && type(device) != CPU) {
          devices.add(device);
        }
      }
      for (long device : devices) {
        backends.add(open(device));
      }
      backends.add(open(runtime.ggml().cpuDevice()));
      setThreads(backends.getLast(), threads);
    } catch (Throwable failure) {
      close();
      throw NativeLibrary.unexpected(failure);
    }
  }

  private long deviceOf(long weight) throws Throwable {
    long buffer = new Tensor(runtime).at(weight).buffer();
    long type = (long) library.function("ggml_backend_buffer_get_type", "p:p").invokeExact(buffer);
    return (long) library.function("ggml_backend_buft_get_device", "p:p").invokeExact(type);
  }

  private int type(long device) throws Throwable {
    return (int) library.function("ggml_backend_dev_type", "p:i").invokeExact(device);
  }

  private long open(long device) throws Throwable {
    long backend = (long) library.function("ggml_backend_dev_init", "pp:p").invokeExact(device, 0L);
    if (backend == 0) {
      throw SideGraph.refused("a device that holds weights cannot be opened a second time");
    }
    return backend;
  }

  private void setThreads(long backend, int threads) throws Throwable {
    long function = runtime.ggml().cpuFunction("ggml_backend_set_n_threads");
    if (function != 0) {
      NativeLibrary.function(function, "pi:v").invokeExact(backend, threads);
    }
  }

  /**
   * Gives a graph its memory.
   *
   * @param size most tensors in it
   * @param nodes its nodes, each of which some backend must be able to compute
   */
  void allocate(long graph, int size, Collection<Long> nodes) {
    MethodHandle supports = library.function("ggml_backend_supports_op", "pp:b");
    try {
      requireReachableWeights();
      for (long node : nodes) {
        boolean supported = false;
        for (long backend : backends) {
          supported |= (boolean) supports.invokeExact(backend, node);
        }
        if (!supported) {
          throw SideGraph.refused("no backend has " + new Tensor(runtime).at(node).op());
        }
      }
      scheduler = scheduler(size);
      if (!(boolean)
          library
              .function("ggml_backend_sched_alloc_graph", "pp:b")
              .invokeExact(scheduler, graph)) {
        throw SideGraph.refused("there is no memory for it");
      }
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** The scheduler would end the process over a weight in a buffer that no backend reads. */
  private void requireReachableWeights() throws Throwable {
    MethodHandle type = library.function("ggml_backend_buffer_get_type", "p:p");
    MethodHandle supports = library.function("ggml_backend_supports_buft", "pp:b");
    for (long weight : weights) {
      Tensor tensor = new Tensor(runtime).at(weight);
      long buffer = (long) type.invokeExact(tensor.buffer());
      boolean reached = false;
      for (long backend : backends) {
        reached |= (boolean) supports.invokeExact(backend, buffer);
      }
      if (!reached) {
        throw SideGraph.refused(tensor.name() + " lies where no single backend reaches it");
      }
    }
  }

  private long scheduler(int size) throws Throwable {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment all = arena.allocate(8L * backends.size(), 8);
      for (int i = 0; i < backends.size(); i++) {
        all.setAtIndex(ValueLayout.JAVA_LONG, i, backends.get(i));
      }
      String function = "ggml_backend_sched_new";
      // What may be offloaded became an argument of both structs and functions at once.
      return runtime.layouts().context().field("op_offload").isPresent()
          ? (long)
              library
                  .function(function, "ppilbb:p")
                  .invokeExact(all.address(), 0L, backends.size(), (long) size, false, false)
          : (long)
              library
                  .function(function, "ppilb:p")
                  .invokeExact(all.address(), 0L, backends.size(), (long) size, false);
    }
  }

  /** Computes a graph that has its memory; waits until it is done. */
  void compute(long graph) {
    int status;
    try {
      status = (int) compute.invokeExact(scheduler, graph);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
    if (status != 0) {
      throw new LlamaException(
          LlamaException.Kind.DECODE, "ggml cannot compute on the weights: status " + status);
    }
  }

  @Override
  public void close() {
    try {
      if (scheduler != 0) {
        library.function("ggml_backend_sched_free", "p:v").invokeExact(scheduler);
        scheduler = 0;
      }
      MethodHandle free = library.function("ggml_backend_free", "p:v");
      for (long backend : backends) {
        free.invokeExact(backend);
      }
      backends.clear();
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }
}
