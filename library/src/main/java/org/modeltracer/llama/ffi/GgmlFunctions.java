package org.modeltracer.llama.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The functions of {@code ggml.h} and {@code ggml-backend.h} that are called here. Pointers are
 * addresses, 0 for null; bounds are the caller's to check.
 */
public final class GgmlFunctions extends Functions {
  private static final int USAGE_WEIGHTS = 1;

  /** Of {@code ggml_init_params}: size, memory of the caller's, whether there is no data. */
  private static final long INIT_BYTES = 24;

  private static final long INIT_SIZE = 0;
  private static final long INIT_NO_DATA = 16;

  private final boolean offloads;

  /**
   * Those of a library.
   *
   * @param offloads whether a scheduler takes whether operations may be offloaded, as it is in
   *     recent releases
   */
  public GgmlFunctions(NativeLibrary library, boolean offloads) {
    super(library);
    this.offloads = offloads;
    newScheduler = function("ggml_backend_sched_new", offloads ? "ppilbb:p" : "ppilb:p");
  }

  private final CFunction opName = function("ggml_op_name", "i:p");

  /** Name of an operation by ggml's number, which must be one of a tensor. */
  public String opName(int op) {
    return NativeMemory.text(opName.toLong(op));
  }

  private final CFunction opDescription = function("ggml_op_desc", "p:p");

  /** Name of a tensor's operation, unary ones distinguished. */
  public String opDescription(long tensor) {
    return NativeMemory.text(opDescription.toLong(tensor));
  }

  private final CFunction bytes = getter("ggml_nbytes", "p:l");

  /** Bytes from a tensor's first element to its last. */
  public long bytes(long tensor) {
    return bytes.toLong(tensor);
  }

  private final CFunction contiguous = getter("ggml_is_contiguous", "p:b");

  /** Whether a tensor's elements lie side by side. */
  public boolean isContiguous(long tensor) {
    return contiguous.toBoolean(tensor);
  }

  private final CFunction tensorOverhead = getter("ggml_tensor_overhead", ":l");

  /** Bytes of a tensor struct and what ggml puts before it. */
  public long tensorOverhead() {
    return tensorOverhead.toLong();
  }

  private final CFunction graphOverhead = function("ggml_graph_overhead_custom", "lb:l");

  /** Bytes of a graph of so many nodes. */
  public long graphOverhead(long nodes) {
    return graphOverhead.toLong(nodes, false);
  }

  private final CFunction typeTraits = getter("ggml_get_type_traits", "i:p");

  /** Traits of an element type, {@code ggml_type_traits}. */
  public long typeTraits(int type) {
    return typeTraits.toLong(type);
  }

  /** Whether the library exports the conversion of a quantized type to float32. */
  public boolean dequantizes(String type) {
    return library.has("dequantize_row_" + type);
  }

  private final CFunction quantize = function("ggml_quantize_chunk", "ipplllp:l");

  /**
   * Converts rows of float32 to an element type.
   *
   * @return bytes written
   */
  public long quantize(
      int type, MemorySegment floats, MemorySegment target, long rows, long width) {
    return quantize.toLong(type, floats.address(), target.address(), 0L, rows, width, 0L);
  }

  private final CFunction needsImportance = function("ggml_quantize_requires_imatrix", "i:b");

  /** Whether a type can only be made with measured importances of the weights. */
  public boolean needsImportance(int type) {
    return needsImportance.toBoolean(type);
  }

  private final CFunction threadPoolDefaults = function("ggml_threadpool_params_init", "pi:v");

  /** Whether {@link #threadPoolDefaults} can be called. */
  public boolean knowsThreadPoolDefaults() {
    return threadPoolDefaults.exists();
  }

  /** Writes default {@code ggml_threadpool_params} for so many threads. */
  public void threadPoolDefaults(MemorySegment params, int threads) {
    threadPoolDefaults.run(params.address(), threads);
  }

  private final CFunction setAbort = function("ggml_set_abort_callback", "p:p");

  /** Sets who hears ggml's last words; older releases have nobody. */
  public void endWith(long callback) {
    if (setAbort.exists()) {
      long ignored = setAbort.toLong(callback);
    }
  }

  private final CFunction init = function("ggml_init", "T:p");

  /** Makes memory for so many bytes of tensor structs, data not included; 0 when there is none. */
  public long init(long count) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment params = arena.allocate(INIT_BYTES, 8);
      params.set(ValueLayout.JAVA_LONG, INIT_SIZE, count);
      params.set(ValueLayout.JAVA_BOOLEAN, INIT_NO_DATA, true);
      return init.toLong(params);
    }
  }

  private final CFunction free = function("ggml_free", "p:v");

  /** Frees memory for tensor structs. */
  public void free(long arena) {
    free.run(arena);
  }

  private final CFunction newGraph = function("ggml_new_graph_custom", "plb:p");

  /** An empty graph for so many nodes. */
  public long newGraph(long arena, long nodes) {
    return newGraph.toLong(arena, nodes, false);
  }

  private final CFunction newMatrix = function("ggml_new_tensor_2d", "pill:p");

  /** A tensor of two dimensions without data. */
  public long newMatrix(long arena, int type, long width, long columns) {
    return newMatrix.toLong(arena, type, width, columns);
  }

  private final CFunction setInput = function("ggml_set_input", "p:v");

  /** Marks a tensor as one that is written before a graph runs. */
  public void setInput(long tensor) {
    setInput.run(tensor);
  }

  private final CFunction setOutput = function("ggml_set_output", "p:v");

  /** Marks a tensor as one that is read after a graph has run. */
  public void setOutput(long tensor) {
    setOutput.run(tensor);
  }

  private final CFunction expand = function("ggml_build_forward_expand", "pp:v");

  /** Adds a tensor and all that it is computed from to a graph. */
  public void expand(long graph, long tensor) {
    expand.run(graph, tensor);
  }

  private final CFunction hostBuffer = getter("ggml_backend_buffer_is_host", "p:b");

  /** Whether a buffer lies in memory that the processor reads. */
  public boolean isHostBuffer(long buffer) {
    return hostBuffer.toBoolean(buffer);
  }

  private final CFunction read = function("ggml_backend_tensor_get", "ppll:v");

  /** Copies bytes of a tensor into native memory. */
  public void read(long tensor, MemorySegment target, long offset, long count) {
    read.run(tensor, target.address(), offset, count);
  }

  private final CFunction write = function("ggml_backend_tensor_set", "ppll:v");

  /** Copies native memory into a tensor. */
  public void write(long tensor, MemorySegment source, long offset, long count) {
    write.run(tensor, source.address(), offset, count);
  }

  private final CFunction bufferType = getter("ggml_backend_buffer_get_type", "p:p");

  /** Type of a buffer. */
  public long bufferType(long buffer) {
    return bufferType.toLong(buffer);
  }

  private final CFunction bufferUsage = getter("ggml_backend_buffer_get_usage", "p:i");

  /** Whether a buffer was made for weights. */
  public boolean holdsWeights(long buffer) {
    return bufferUsage.toInt(buffer) == USAGE_WEIGHTS;
  }

  private final CFunction bufferTypeDevice = getter("ggml_backend_buft_get_device", "p:p");

  /** Device of a type of buffers. */
  public long bufferTypeDevice(long type) {
    return bufferTypeDevice.toLong(type);
  }

  private final CFunction loadBackends = function("ggml_backend_load_all_from_path", "p:v");

  /** Loads the backends that lie in a folder; releases that have them inside load none. */
  public void loadBackends(String folder) {
    if (loadBackends.exists()) {
      try (var arena = Arena.ofConfined()) {
        loadBackends.run(arena.allocateFrom(folder).address());
      }
    }
  }

  private final CFunction deviceByType = function("ggml_backend_dev_by_type", "i:p");

  /** First device of a type, 0 for none. */
  public long deviceByType(DeviceType type) {
    return deviceByType.toLong(type.ordinal());
  }

  private final CFunction deviceCount = function("ggml_backend_dev_count", ":l");

  /** Number of devices. */
  public long devices() {
    return deviceCount.toLong();
  }

  private final CFunction device = function("ggml_backend_dev_get", "l:p");

  /** A device by number. */
  public long device(long number) {
    return device.toLong(number);
  }

  private final CFunction deviceName = function("ggml_backend_dev_name", "p:p");

  /** Name of a device. */
  public String deviceName(long of) {
    return NativeMemory.text(deviceName.toLong(of));
  }

  private final CFunction deviceDescription = function("ggml_backend_dev_description", "p:p");

  /** What the hardware behind a device calls itself. */
  public String deviceDescription(long of) {
    return NativeMemory.text(deviceDescription.toLong(of));
  }

  private final CFunction deviceMemory = function("ggml_backend_dev_memory", "ppp:v");

  /**
   * Memory of a device.
   *
   * @param bytes all of it, 0 where the device does not tell
   * @param freeBytes what of it is free
   */
  public record Memory(long bytes, long freeBytes) {}

  /** Memory of a device. */
  public Memory deviceMemory(long of) {
    try (var arena = Arena.ofConfined()) {
      MemorySegment free = arena.allocate(ValueLayout.JAVA_LONG);
      MemorySegment all = arena.allocate(ValueLayout.JAVA_LONG);
      deviceMemory.run(of, free.address(), all.address());
      return new Memory(all.get(ValueLayout.JAVA_LONG, 0), free.get(ValueLayout.JAVA_LONG, 0));
    }
  }

  private final CFunction deviceType = function("ggml_backend_dev_type", "p:i");

  /** Type of a device. */
  public DeviceType deviceType(long of) {
    return DeviceType.of(deviceType.toInt(of));
  }

  private final CFunction deviceRegistry = function("ggml_backend_dev_backend_reg", "p:p");

  /** Backend registry of a device. */
  public long deviceRegistry(long of) {
    return deviceRegistry.toLong(of);
  }

  private final CFunction openDevice = function("ggml_backend_dev_init", "pp:p");

  /** Opens a device, 0 when that fails. */
  public long openDevice(long of) {
    return openDevice.toLong(of, 0L);
  }

  private final CFunction registryByName = function("ggml_backend_reg_by_name", "p:p");

  /** A backend registry by name, 0 for none. */
  public long registry(String name) {
    try (var arena = Arena.ofConfined()) {
      return registryByName.toLong(arena.allocateFrom(name).address());
    }
  }

  private final CFunction registryName = function("ggml_backend_reg_name", "p:p");

  /** Name of a backend registry. */
  public String registryName(long registry) {
    return NativeMemory.text(registryName.toLong(registry));
  }

  private final CFunction registryDeviceCount = function("ggml_backend_reg_dev_count", "p:l");

  /** Number of devices of a registry. */
  public long registryDevices(long registry) {
    return registryDeviceCount.toLong(registry);
  }

  private final CFunction registryDevice = function("ggml_backend_reg_dev_get", "pl:p");

  /** A device of a registry by number. */
  public long registryDevice(long registry, long number) {
    return registryDevice.toLong(registry, number);
  }

  private final CFunction registryFunction = function("ggml_backend_reg_get_proc_address", "pp:p");

  /** A function that a registry, or else the library, offers by name; absent ones are at 0. */
  public OfferedFunction offered(long registry, String name) {
    try (var arena = Arena.ofConfined()) {
      long found = registryFunction.toLong(registry, arena.allocateFrom(name).address());
      return new OfferedFunction(found != 0 ? found : library.address(name));
    }
  }

  private final CFunction freeBackend = function("ggml_backend_free", "p:v");

  /** Frees a backend. */
  public void freeBackend(long backend) {
    freeBackend.run(backend);
  }

  private final CFunction supportsBuffer = function("ggml_backend_supports_buft", "pp:b");

  /** Whether a backend reads buffers of a type. */
  public boolean supportsBuffer(long backend, long type) {
    return supportsBuffer.toBoolean(backend, type);
  }

  private final CFunction supportsOp = function("ggml_backend_supports_op", "pp:b");

  /** Whether a backend computes a node. */
  public boolean supportsOp(long backend, long node) {
    return supportsOp.toBoolean(backend, node);
  }

  private final CFunction newScheduler;

  /** A scheduler over backends, for graphs of so many tensors. */
  public long newScheduler(MemorySegment backends, int count, long tensors) {
    return offloads
        ? newScheduler.toLong(backends.address(), 0L, count, tensors, false, false)
        : newScheduler.toLong(backends.address(), 0L, count, tensors, false);
  }

  private final CFunction allocateGraph = function("ggml_backend_sched_alloc_graph", "pp:b");

  /** Gives a graph its memory; false when there is none. */
  public boolean allocateGraph(long scheduler, long graph) {
    return allocateGraph.toBoolean(scheduler, graph);
  }

  private final CFunction compute = function("ggml_backend_sched_graph_compute", "pp:i");

  /** Computes a graph; 0 is success. */
  public int compute(long scheduler, long graph) {
    return compute.toInt(scheduler, graph);
  }

  private final CFunction freeScheduler = function("ggml_backend_sched_free", "p:v");

  /** Frees a scheduler. */
  public void freeScheduler(long scheduler) {
    freeScheduler.run(scheduler);
  }
}
