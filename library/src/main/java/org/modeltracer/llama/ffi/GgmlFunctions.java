package org.modeltracer.llama.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The functions of {@code ggml.h} and {@code ggml-backend.h} that are called here. Pointers are
 * addresses, 0 for null; bounds are the caller's to check.
 */
public final class GgmlFunctions {
  private final NativeLibrary library;
  private final CFunction opName;
  private final CFunction opDescription;
  private final CFunction bytes;
  private final CFunction contiguous;
  private final CFunction tensorOverhead;
  private final CFunction graphOverhead;
  private final CFunction typeTraits;
  private final CFunction threadPoolDefaults;
  private final CFunction setAbort;
  private final CFunction init;
  private final CFunction free;
  private final CFunction newGraph;
  private final CFunction newMatrix;
  private final CFunction setInput;
  private final CFunction setOutput;
  private final CFunction expand;
  private final CFunction hostBuffer;
  private final CFunction read;
  private final CFunction write;
  private final CFunction bufferType;
  private final CFunction bufferUsage;
  private final CFunction bufferTypeDevice;
  private final CFunction loadBackends;
  private final CFunction deviceByType;
  private final CFunction deviceCount;
  private final CFunction device;
  private final CFunction deviceName;
  private final CFunction deviceType;
  private final CFunction deviceRegistry;
  private final CFunction openDevice;
  private final CFunction registryByName;
  private final CFunction registryDeviceCount;
  private final CFunction registryDevice;
  private final CFunction registryFunction;
  private final CFunction freeBackend;
  private final CFunction supportsBuffer;
  private final CFunction supportsOp;
  private final CFunction newScheduler;
  private final CFunction allocateGraph;
  private final CFunction compute;
  private final CFunction freeScheduler;

  /**
   * Those of a library.
   *
   * @param offloads whether a scheduler is told if operations may be offloaded, as it is in recent
   *     releases
   */
  public GgmlFunctions(NativeLibrary library, boolean offloads) {
    this.library = library;
    opName = CFunction.of(library, "ggml_op_name", "i:p");
    opDescription = CFunction.of(library, "ggml_op_desc", "p:p");
    bytes = CFunction.getter(library, "ggml_nbytes", "p:l");
    contiguous = CFunction.getter(library, "ggml_is_contiguous", "p:b");
    tensorOverhead = CFunction.getter(library, "ggml_tensor_overhead", ":l");
    graphOverhead = CFunction.of(library, "ggml_graph_overhead_custom", "lb:l");
    typeTraits = CFunction.getter(library, "ggml_get_type_traits", "i:p");
    threadPoolDefaults = CFunction.of(library, "ggml_threadpool_params_init", "pi:v");
    setAbort = CFunction.of(library, "ggml_set_abort_callback", "p:p");
    init = CFunction.of(library, "ggml_init", "T:p");
    free = CFunction.of(library, "ggml_free", "p:v");
    newGraph = CFunction.of(library, "ggml_new_graph_custom", "plb:p");
    newMatrix = CFunction.of(library, "ggml_new_tensor_2d", "pill:p");
    setInput = CFunction.of(library, "ggml_set_input", "p:v");
    setOutput = CFunction.of(library, "ggml_set_output", "p:v");
    expand = CFunction.of(library, "ggml_build_forward_expand", "pp:v");
    hostBuffer = CFunction.getter(library, "ggml_backend_buffer_is_host", "p:b");
    read = CFunction.of(library, "ggml_backend_tensor_get", "ppll:v");
    write = CFunction.of(library, "ggml_backend_tensor_set", "ppll:v");
    bufferType = CFunction.getter(library, "ggml_backend_buffer_get_type", "p:p");
    bufferUsage = CFunction.getter(library, "ggml_backend_buffer_get_usage", "p:i");
    bufferTypeDevice = CFunction.getter(library, "ggml_backend_buft_get_device", "p:p");
    loadBackends = CFunction.of(library, "ggml_backend_load_all_from_path", "p:v");
    deviceByType = CFunction.of(library, "ggml_backend_dev_by_type", "i:p");
    deviceCount = CFunction.of(library, "ggml_backend_dev_count", ":l");
    device = CFunction.of(library, "ggml_backend_dev_get", "l:p");
    deviceName = CFunction.of(library, "ggml_backend_dev_name", "p:p");
    deviceType = CFunction.of(library, "ggml_backend_dev_type", "p:i");
    deviceRegistry = CFunction.of(library, "ggml_backend_dev_backend_reg", "p:p");
    openDevice = CFunction.of(library, "ggml_backend_dev_init", "pp:p");
    registryByName = CFunction.of(library, "ggml_backend_reg_by_name", "p:p");
    registryDeviceCount = CFunction.of(library, "ggml_backend_reg_dev_count", "p:l");
    registryDevice = CFunction.of(library, "ggml_backend_reg_dev_get", "pl:p");
    registryFunction = CFunction.of(library, "ggml_backend_reg_get_proc_address", "pp:p");
    freeBackend = CFunction.of(library, "ggml_backend_free", "p:v");
    supportsBuffer = CFunction.of(library, "ggml_backend_supports_buft", "pp:b");
    supportsOp = CFunction.of(library, "ggml_backend_supports_op", "pp:b");
    newScheduler =
        CFunction.of(library, "ggml_backend_sched_new", offloads ? "ppilbb:p" : "ppilb:p");
    offloading = offloads;
    allocateGraph = CFunction.of(library, "ggml_backend_sched_alloc_graph", "pp:b");
    compute = CFunction.of(library, "ggml_backend_sched_graph_compute", "pp:i");
    freeScheduler = CFunction.of(library, "ggml_backend_sched_free", "p:v");
  }

  private final boolean offloading;

  /** Name of an operation by ggml's number, which must be one of a tensor. */
  public String opName(int op) {
    return NativeMemory.text(opName.toLong(op));
  }

  /** Name of a tensor's operation, unary ones told apart. */
  public String opDescription(long tensor) {
    return NativeMemory.text(opDescription.toLong(tensor));
  }

  /** Bytes from a tensor's first element to its last. */
  public long bytes(long tensor) {
    return bytes.toLong(tensor);
  }

  /** Whether a tensor's elements lie side by side. */
  public boolean isContiguous(long tensor) {
    return contiguous.toBoolean(tensor);
  }

  /** Bytes of a tensor struct and what ggml puts before it. */
  public long tensorOverhead() {
    return tensorOverhead.toLong();
  }

  /** Bytes of a graph of so many nodes. */
  public long graphOverhead(long nodes) {
    return graphOverhead.toLong(nodes, false);
  }

  /** Traits of an element type, {@code ggml_type_traits}. */
  public long typeTraits(int type) {
    return typeTraits.toLong(type);
  }

  /** Whether {@link #threadPoolDefaults} can be called. */
  public boolean knowsThreadPoolDefaults() {
    return threadPoolDefaults.exists();
  }

  /** Writes default {@code ggml_threadpool_params} for so many threads. */
  public void threadPoolDefaults(MemorySegment params, int threads) {
    threadPoolDefaults.run(params.address(), threads);
  }

  /** Sets who hears ggml's last words; older releases have nobody. */
  public void endWith(long callback) {
    if (setAbort.exists()) {
      long ignored = setAbort.toLong(callback);
    }
  }

  /** Makes memory for tensor structs, of {@code ggml_init_params}; 0 when there is none. */
  public long init(MemorySegment params) {
    return init.toLong(params);
  }

  /** Frees memory for tensor structs. */
  public void free(long arena) {
    free.run(arena);
  }

  /** An empty graph for so many nodes. */
  public long newGraph(long arena, long nodes) {
    return newGraph.toLong(arena, nodes, false);
  }

  /** A tensor of two dimensions without data. */
  public long newMatrix(long arena, int type, long width, long columns) {
    return newMatrix.toLong(arena, type, width, columns);
  }

  /** Marks a tensor as one that is written before a graph runs. */
  public void setInput(long tensor) {
    setInput.run(tensor);
  }

  /** Marks a tensor as one that is read after a graph has run. */
  public void setOutput(long tensor) {
    setOutput.run(tensor);
  }

  /** Adds a tensor and all that it is computed from to a graph. */
  public void expand(long graph, long tensor) {
    expand.run(graph, tensor);
  }

  /** Whether a buffer lies in memory that the processor reads. */
  public boolean isHostBuffer(long buffer) {
    return hostBuffer.toBoolean(buffer);
  }

  /** Copies bytes of a tensor into native memory. */
  public void read(long tensor, MemorySegment target, long offset, long count) {
    read.run(tensor, target.address(), offset, count);
  }

  /** Copies native memory into a tensor. */
  public void write(long tensor, MemorySegment source, long offset, long count) {
    write.run(tensor, source.address(), offset, count);
  }

  /** Type of a buffer. */
  public long bufferType(long buffer) {
    return bufferType.toLong(buffer);
  }

  /** What a buffer is for: 1 for weights. */
  public int bufferUsage(long buffer) {
    return bufferUsage.toInt(buffer);
  }

  /** Device of a type of buffers. */
  public long bufferTypeDevice(long type) {
    return bufferTypeDevice.toLong(type);
  }

  /** Loads the backends that lie in a folder; releases that have them inside load none. */
  public void loadBackends(String folder) {
    if (loadBackends.exists()) {
      try (var arena = Arena.ofConfined()) {
        loadBackends.run(arena.allocateFrom(folder).address());
      }
    }
  }

  /** First device of a type, 0 for none. */
  public long deviceByType(int type) {
    return deviceByType.toLong(type);
  }

  /** Number of devices. */
  public long devices() {
    return deviceCount.toLong();
  }

  /** A device by number. */
  public long device(long number) {
    return device.toLong(number);
  }

  /** Name of a device. */
  public String deviceName(long of) {
    return NativeMemory.text(deviceName.toLong(of));
  }

  /** Type of a device. */
  public int deviceType(long of) {
    return deviceType.toInt(of);
  }

  /** Backend registry of a device. */
  public long deviceRegistry(long of) {
    return deviceRegistry.toLong(of);
  }

  /** Opens a device, 0 when that fails. */
  public long openDevice(long of) {
    return openDevice.toLong(of, 0L);
  }

  /** A backend registry by name, 0 for none. */
  public long registry(String name) {
    try (var arena = Arena.ofConfined()) {
      return registryByName.toLong(arena.allocateFrom(name).address());
    }
  }

  /** Number of devices of a registry. */
  public long registryDevices(long registry) {
    return registryDeviceCount.toLong(registry);
  }

  /** A device of a registry by number. */
  public long registryDevice(long registry, long number) {
    return registryDevice.toLong(registry, number);
  }

  /** A function that a registry, or else the library, offers by name; absent ones are at 0. */
  public OfferedFunction offered(long registry, String name) {
    try (var arena = Arena.ofConfined()) {
      long found = registryFunction.toLong(registry, arena.allocateFrom(name).address());
      return new OfferedFunction(found != 0 ? found : library.address(name));
    }
  }

  /** Frees a backend. */
  public void freeBackend(long backend) {
    freeBackend.run(backend);
  }

  /** Whether a backend reads buffers of a type. */
  public boolean supportsBuffer(long backend, long type) {
    return supportsBuffer.toBoolean(backend, type);
  }

  /** Whether a backend computes a node. */
  public boolean supportsOp(long backend, long node) {
    return supportsOp.toBoolean(backend, node);
  }

  /** A scheduler over backends, for graphs of so many tensors. */
  public long newScheduler(MemorySegment backends, int count, long tensors) {
    return offloading
        ? newScheduler.toLong(backends.address(), 0L, count, tensors, false, false)
        : newScheduler.toLong(backends.address(), 0L, count, tensors, false);
  }

  /** Gives a graph its memory; false when there is none. */
  public boolean allocateGraph(long scheduler, long graph) {
    return allocateGraph.toBoolean(scheduler, graph);
  }

  /** Computes a graph; 0 is success. */
  public int compute(long scheduler, long graph) {
    return compute.toInt(scheduler, graph);
  }

  /** Frees a scheduler. */
  public void freeScheduler(long scheduler) {
    freeScheduler.run(scheduler);
  }
}
