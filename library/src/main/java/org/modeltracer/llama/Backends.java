package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import org.modeltracer.llama.ffi.DeviceType;
import org.modeltracer.llama.ffi.GgmlFunctions;
import org.modeltracer.llama.ffi.OfferedFunction;

/**
 * The backends of the devices that hold some weights, the processor last, under one scheduler.
 *
 * <p>They are instances of our own: those of a context belong to llama.cpp. A scheduler moves what
 * one backend made to where the next one computes.
 */
final class Backends implements AutoCloseable {
  private final LlamaRuntime runtime;
  private final GgmlFunctions ggml;
  private final List<Long> weights;
  private final List<Long> backends = new ArrayList<>();
  private long scheduler;

  Backends(LlamaRuntime runtime, List<Long> weights, int threads) {
    this.runtime = runtime;
    this.weights = weights;
    ggml = runtime.ggml().functions();
    try {
      var devices = new LinkedHashSet<Long>();
      for (long weight : weights) {
        long device = deviceOf(weight);
        if (device != 0 && ggml.deviceType(device) != DeviceType.CPU) {
          devices.add(device);
        }
      }
      for (long device : devices) {
        backends.add(open(device));
      }
      backends.add(open(runtime.ggml().cpuDevice()));
      setThreads(backends.getLast(), threads);
    } catch (RuntimeException failure) {
      close();
      throw failure;
    }
  }

  private long deviceOf(long weight) {
    long buffer = new Tensor(runtime).at(weight).buffer();
    return ggml.bufferTypeDevice(ggml.bufferType(buffer));
  }

  private long open(long device) {
    long backend = ggml.openDevice(device);
    if (backend == 0) {
      throw SideGraph.refused("a device that holds weights cannot be opened a second time");
    }
    return backend;
  }

  private void setThreads(long backend, int threads) {
    OfferedFunction set = runtime.ggml().cpuFunction("ggml_backend_set_n_threads");
    if (set.exists()) {
      set.run(backend, threads);
    }
  }

  /**
   * Gives a graph its memory.
   *
   * @param size most tensors in it
   * @param nodes its nodes, each of which some backend must be able to compute
   */
  void allocate(long graph, int size, Collection<Long> nodes) {
    requireReachableWeights();
    for (long node : nodes) {
      if (backends.stream().noneMatch(backend -> ggml.supportsOp(backend, node))) {
        throw SideGraph.refused("no backend has " + new Tensor(runtime).at(node).opName());
      }
    }
    scheduler = scheduler(size);
    if (!ggml.allocateGraph(scheduler, graph)) {
      throw SideGraph.refused("there is no memory for it");
    }
  }

  /** The scheduler would end the process over a weight in a buffer that no backend reads. */
  private void requireReachableWeights() {
    for (long weight : weights) {
      Tensor tensor = new Tensor(runtime).at(weight);
      long buffer = ggml.bufferType(tensor.buffer());
      if (backends.stream().noneMatch(backend -> ggml.supportsBuffer(backend, buffer))) {
        throw SideGraph.refused(tensor.name() + " lies where no single backend reaches it");
      }
    }
  }

  private long scheduler(int size) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment all = arena.allocate(8L * backends.size(), 8);
      for (int i = 0; i < backends.size(); i++) {
        all.setAtIndex(ValueLayout.JAVA_LONG, i, backends.get(i));
      }
      return ggml.newScheduler(all, backends.size(), size);
    }
  }

  /** Computes a graph that has its memory; waits until it is done. */
  void compute(long graph) {
    int status = ggml.compute(scheduler, graph);
    if (status != 0) {
      throw new LlamaException(
          LlamaException.Kind.DECODE, "ggml cannot compute on the weights: status " + status);
    }
  }

  @Override
  public void close() {
    if (scheduler != 0) {
      ggml.freeScheduler(scheduler);
      scheduler = 0;
    }
    backends.forEach(ggml::freeBackend);
    backends.clear();
  }
}
