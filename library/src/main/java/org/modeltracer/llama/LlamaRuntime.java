package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.llama.ModelOptions.Placement;
import org.modeltracer.llama.ffi.GgmlFunctions;
import org.modeltracer.llama.ffi.LinkException;
import org.modeltracer.llama.ffi.LlamaFunctions;
import org.modeltracer.llama.ffi.NativeLibrary;
import org.modeltracer.llama.ffi.NativeMemory;
import org.modeltracer.llama.ffi.Upcalls;
import org.modeltracer.model.VisibleText;
import org.modeltracer.weights.Dequantizer;

/**
 * A loaded llama.cpp, of any generation this binding knows.
 *
 * <p>One runtime exists per library file and process. Its native calls run on one thread of its
 * own, with a stack deep enough for llama.cpp's tokenizers.
 */
public final class LlamaRuntime implements AutoCloseable, Dequantizer {
  private static final Map<Path, LlamaRuntime> LOADED = new HashMap<>();
  private static final Set<Path> ATTACHED = new HashSet<>();

  private final NativeLibrary library;
  private final LlamaFunctions functions;
  private final String origin;
  private final @Nullable String note;
  private final Ggml ggml;
  private final ParameterLayouts layouts;
  private final NativeLog log;
  private final boolean guest;
  private final NativeThread thread = new NativeThread("llama.cpp");
  private final String version;
  private final String systemInfo;
  private final Devices devices;
  private final RpcServers rpc;
  private volatile Consumer<String> onAbort = LlamaRuntime::report;

  private LlamaRuntime(LibraryLocator.Located located) {
    guest = false;
    library = NativeLibrary.load(located.file());
    origin = located.origin();
    note = located.note();
    functions = new LlamaFunctions(library);
    log = new NativeLog(functions);
    layouts = ParameterLayouts.of(functions);
    // What may be offloaded became an argument of both structs and functions at once.
    boolean offloads = layouts.context().has("op_offload");
    ggml = new Ggml(new GgmlFunctions(library, offloads));
    Path folder = located.file().getParent();
    ggml.loadBackends(folder == null ? "." : folder.toString());
    functions.backendInit();
    ggml.functions().endWith(Upcalls.ending(this::aborting, Arena.global()));
    version = readVersion();
    systemInfo = functions.systemInfo().strip();
    // Integrated graphics processors became a type of their own shortly before this parameter came.
    devices = new Devices(ggml.functions(), layouts.model().has("no_host"));
    rpc = new RpcServers(ggml.functions(), library.path(), version);
  }

  /** The same library, with another thread. */
  private LlamaRuntime(LlamaRuntime other) {
    guest = true;
    library = other.library;
    functions = other.functions;
    origin = other.origin;
    note = other.note;
    log = other.log;
    layouts = other.layouts;
    ggml = other.ggml;
    rpc = other.rpc;
    version = other.version;
    systemInfo = other.systemInfo;
    devices = other.devices;
  }

  /**
   * The same library with a native thread of its own.
   *
   * <p>Models opened here and models opened there can be at work at the same time, and each can
   * wait for the other in the middle of a pass. Close it to end its thread.
   */
  public LlamaRuntime beside() {
    return new LlamaRuntime(this);
  }

  /** The library that {@code MODELTRACER_LLAMA_LIB} names, else the embedded one. */
  public static LlamaRuntime load() {
    return loadFrom(null);
  }

  /**
   * The library in a file, or in a folder that holds a build of llama.cpp.
   *
   * @throws LlamaException when it cannot be loaded or its layout is not known
   */
  public static LlamaRuntime load(Path library) {
    return loadFrom(library);
  }

  /** The named library, or the default one when {@code library} is null. */
  public static synchronized LlamaRuntime loadFrom(@Nullable Path library) {
    LibraryLocator.Located located = LibraryLocator.locate(library);
    LlamaRuntime known = LOADED.get(located.file());
    if (known == null) {
      try {
        known = new LlamaRuntime(located);
      } catch (LinkException e) {
        throw new LlamaException(LlamaException.Kind.LIBRARY, String.valueOf(e.getMessage()), e);
      }
      LOADED.put(located.file(), known);
    }
    return known;
  }

  /**
   * The llama.cpp that other code of this process has loaded, such as another binding: its contexts
   * can be followed. It takes Linux on x86-64 or arm64.
   *
   * @throws LlamaException when there is none
   */
  public static LoadedLlama attachLoaded() {
    return LoadedLlama.find();
  }

  /** Whether a library is one that a runtime of ours has loaded by itself. */
  static synchronized boolean isOurs(Path file) {
    return LOADED.containsKey(file) && !ATTACHED.contains(file);
  }

  /** A runtime on a library that other code has loaded. */
  static synchronized LlamaRuntime ofLoaded(Path file) {
    if (!LOADED.containsKey(file)) {
      ATTACHED.add(file);
    }
    return load(file);
  }

  private String readVersion() {
    String told = functions.version();
    if (!told.isEmpty()) {
      return told;
    }
    return library
        .intVariable("LLAMA_BUILD_NUMBER")
        .map(build -> "b" + build)
        .or(() -> LibraryLocator.release(library.path()))
        .orElse("with the layout of " + layouts.context().generation());
  }

  /** What ggml would have printed, had it not been given a callback instead. */
  private static void report(String message) {
    System.err.println("llama.cpp ends this process: " + VisibleText.line(message));
  }

  private void aborting(long message) {
    try {
      onAbort.accept(NativeMemory.text(message).strip());
    } catch (Throwable ignored) {
      // ggml ends the process next, whatever happens here.
    }
  }

  /**
   * Sets what to do when ggml fails an assertion of its own, just before it ends the process.
   *
   * <p>The listener runs on the failing thread and is the last chance to save something. Older
   * generations (b4916) do not call it.
   */
  public void onAbort(Consumer<String> listener) {
    onAbort = listener;
  }

  /** Sets who hears every line of llama.cpp's log from now on, on whatever thread it is said. */
  public void onLog(Consumer<String> listener) {
    log.listen(listener);
  }

  /**
   * Loads a model.
   *
   * @throws LlamaException with llama.cpp's own words when the file cannot be loaded
   */
  public LlamaModel open(Path file, ModelOptions options) {
    return call(() -> new LlamaModel(this, file, options));
  }

  /** Loads a model with default options. */
  public LlamaModel open(Path file) {
    return open(file, ModelOptions.defaults());
  }

  /** Runs a task on the runtime's native thread and waits for it; nested calls run in place. */
  public <T> T call(Callable<T> task) {
    return thread.call(task);
  }

  /** Runs a task without a result as {@link #call} does. */
  public void run(Runnable task) {
    call(Executors.callable(task));
  }

  boolean onThread() {
    return thread.isCurrent();
  }

  /** Version of llama.cpp, such as {@code v0.5.0} or {@code b4916}. */
  public String version() {
    return version;
  }

  /** Generation of the recognised parameter layout. */
  public String generation() {
    return layouts.context().generation();
  }

  /** File the library was loaded from. */
  public Path file() {
    return library.path();
  }

  /** Where the library comes from, in words. */
  public String origin() {
    return origin;
  }

  /** What a user should know about the choice of library. */
  public Optional<String> note() {
    return Optional.ofNullable(note);
  }

  /** llama.cpp's description of the instruction sets and backends it was built with. */
  public String systemInfo() {
    return systemInfo;
  }

  /** What there is on this machine to compute on. */
  public List<Device> devices() {
    return devices.all();
  }

  /**
   * What a model so placed may compute on, on this machine: with a graphics processor llama.cpp
   * sends it large products also of layers that stay here.
   *
   * @throws LlamaException for a device that is not there
   */
  public List<Device> devices(Placement placement) {
    return devices.of(placement);
  }

  /** The element type with ggml's number {@code id}. */
  public TensorType type(int id) {
    return ggml.type(id);
  }

  /** Whether rows of float32 can be converted to a type, by {@link #quantize}. */
  public boolean quantizes(GgmlType type) {
    return converts(type) && !ggml.functions().needsImportance(type.id());
  }

  /**
   * Converts rows of float32 to an element type, by ggml's own quantizer.
   *
   * @param floats native memory, {@code [row, width]}
   * @param target native memory that takes the blocks
   * @param width a multiple of the type's block size
   * @return bytes written to the target
   */
  public long quantize(
      GgmlType type, MemorySegment floats, MemorySegment target, long rows, long width) {
    long bytes = Math.multiplyExact(rows, width / type.blockSize() * type.blockBytes());
    if (width % type.blockSize() != 0
        || floats.byteSize() < 4 * rows * width
        || target.byteSize() < bytes
        || !quantizes(type)) {
      throw new IllegalArgumentException(
          "%d rows of %d do not fit, or %s cannot be made".formatted(rows, width, type.ggmlName()));
    }
    return ggml.functions().quantize(type.id(), floats, target, rows, width);
  }

  @Override
  public boolean converts(GgmlType type) {
    return ggml.knows(type) && type(type.id()).convertible();
  }

  @Override
  public void toFloat(GgmlType type, MemorySegment source, MemorySegment target, long n) {
    type(type.id()).toFloat(source, target, n);
  }

  Op op(int code) {
    return ggml.op(code);
  }

  String opName(int op) {
    return ggml.opName(op);
  }

  MemorySegment opLabel(int op) {
    return ggml.opLabel(op);
  }

  String opDescription(long tensor, int op) {
    return ggml.opDescription(tensor, op);
  }

  long spanBytes(long tensor) {
    return ggml.functions().bytes(tensor);
  }

  boolean isContiguous(long tensor) {
    return ggml.functions().isContiguous(tensor);
  }

  boolean isHostBuffer(long buffer) {
    return ggml.isHost(buffer);
  }

  void readTensor(long tensor, MemorySegment target, long offset, long bytes) {
    ggml.read(tensor, target, offset, bytes);
  }

  void writeTensor(long tensor, MemorySegment source, long offset, long bytes) {
    ggml.write(tensor, source, offset, bytes);
  }

  NativeLibrary library() {
    return library;
  }

  LlamaFunctions functions() {
    return functions;
  }

  Ggml ggml() {
    return ggml;
  }

  RpcServers rpc() {
    return rpc;
  }

  Devices deviceList() {
    return devices;
  }

  ParameterLayouts layouts() {
    return layouts;
  }

  NativeLog log() {
    return log;
  }

  /** Whether the library makes a thread pool for each graph unless given one. */
  boolean wantsThreadPool() {
    return !systemInfo.contains("OPENMP = 1");
  }

  /**
   * Does nothing to the library, which stays loaded for the life of the process; ends the thread of
   * a runtime made by {@link #beside}.
   */
  @Override
  public void close() {
    if (guest) {
      thread.close();
    }
  }
}
