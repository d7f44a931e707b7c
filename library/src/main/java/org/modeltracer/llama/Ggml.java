package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;

/** The functions of ggml that reading a graph takes. */
final class Ggml {
  private static final int MAX_TYPES = 256;
  private static final long TRAITS_BYTES = 56;
  private static final int CPU_DEVICE = 0;
  private static final int MAX_OPS = 256;

  private record NamedOp(Op op, String name) {}

  private final NativeLibrary library;
  private final MethodHandle opName;
  private final MethodHandle opDesc;
  private final MethodHandle nbytes;
  private final MethodHandle isContiguous;
  private final MethodHandle isHost;
  private final MethodHandle tensorGet;
  private final MethodHandle tensorSet;
  private final MethodHandle typeTraits;
  private final AtomicReferenceArray<NamedOp> ops = new AtomicReferenceArray<>(MAX_OPS);
  private final AtomicReferenceArray<TensorType> types = new AtomicReferenceArray<>(MAX_TYPES);

  Ggml(NativeLibrary library) {
    this.library = library;
    opName = library.function("ggml_op_name", "i:p");
    opDesc = library.function("ggml_op_desc", "p:p");
    nbytes = library.function("ggml_nbytes", "p:l");
    isContiguous = library.function("ggml_is_contiguous", "p:b");
    isHost = library.function("ggml_backend_buffer_is_host", "p:b");
    tensorGet = library.function("ggml_backend_tensor_get", "ppll:v");
    tensorSet = library.function("ggml_backend_tensor_set", "ppll:v");
    typeTraits = library.function("ggml_get_type_traits", "i:p");
    checkTensorSize();
  }

  private void checkTensorSize() {
    // ggml_tensor_overhead is the tensor and the 32-byte object header before it.
    long size = callLong(library.function("ggml_tensor_overhead", ":l")) - 32;
    if (size != Tensor.BYTES) {
      throw new LlamaException(
          LlamaException.Kind.LIBRARY,
          "unknown layout of ggml_tensor: " + size + " bytes, known are " + Tensor.BYTES);
    }
  }

  private static long callLong(MethodHandle handle) {
    try {
      return (long) handle.invokeExact();
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  Op op(int code) {
    return named(code).op;
  }

  String opName(int code) {
    return named(code).name;
  }

  /** Numbers come from tensors only: ggml answers for those that it knows. */
  private NamedOp named(int code) {
    if (code < 0 || code >= MAX_OPS) {
      throw new IllegalStateException("no ggml operation has number " + code);
    }
    NamedOp known = ops.get(code);
    if (known == null) {
      try {
        String name = NativeMemory.text((long) opName.invokeExact(code));
        known = new NamedOp(Op.named(name), name);
      } catch (Throwable failure) {
        throw NativeLibrary.unexpected(failure);
      }
      ops.set(code, known);
    }
    return known;
  }

  String opDescription(long tensor) {
    try {
      return NativeMemory.text((long) opDesc.invokeExact(tensor));
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  long spanBytes(long tensor) {
    try {
      return (long) nbytes.invokeExact(tensor);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  boolean isContiguous(long tensor) {
    try {
      return (boolean) isContiguous.invokeExact(tensor);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  boolean isHost(long buffer) {
    try {
      return buffer != 0 && (boolean) isHost.invokeExact(buffer);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  void read(long tensor, MemorySegment target, long offset, long bytes) {
    if (bytes == 0) {
      return;
    }
    if (offset < 0 || bytes > target.byteSize() || offset + bytes > spanBytes(tensor)) {
      throw new IndexOutOfBoundsException(
          "reading " + bytes + " bytes at " + offset + " of a smaller tensor or into less room");
    }
    try {
      tensorGet.invokeExact(tensor, target.address(), offset, bytes);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  void write(long tensor, MemorySegment source, long offset, long bytes) {
    if (bytes == 0) {
      return;
    }
    if (offset < 0 || bytes > source.byteSize() || offset + bytes > spanBytes(tensor)) {
      throw new IndexOutOfBoundsException(
          "writing " + bytes + " bytes at " + offset + " of a smaller tensor or from fewer");
    }
    try {
      tensorSet.invokeExact(tensor, source.address(), offset, bytes);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  TensorType type(int id) {
    if (id < 0 || id >= MAX_TYPES) {
      throw new IllegalArgumentException("no ggml type has number " + id);
    }
    TensorType known = types.get(id);
    if (known == null) {
      known = readType(id);
      types.set(id, known);
    }
    return known;
  }

  private TensorType readType(int id) {
    try {
      MemorySegment traits = NativeMemory.at((long) typeTraits.invokeExact(id), TRAITS_BYTES);
      long toFloat = traits.get(ValueLayout.JAVA_LONG, 40);
      return new TensorType(
          id,
          NativeMemory.text(traits.get(ValueLayout.JAVA_LONG, 0)),
          (int) Math.max(1, traits.get(ValueLayout.JAVA_LONG, 8)),
          (int) traits.get(ValueLayout.JAVA_LONG, 24),
          traits.get(ValueLayout.JAVA_BOOLEAN, 32),
          toFloat == 0 ? null : NativeLibrary.function(toFloat, "ppl:v"));
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Makes backends available that lie in files of their own beside the library. */
  void loadBackends(Path folder) {
    if (cpuDevice() != 0 || !library.has("ggml_backend_load_all_from_path")) {
      return;
    }
    try (var arena = Arena.ofConfined()) {
      library
          .function("ggml_backend_load_all_from_path", "p:v")
          .invokeExact(arena.allocateFrom(folder.toString()).address());
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
    if (cpuDevice() == 0) {
      throw new LlamaException(
          LlamaException.Kind.LIBRARY,
          "no CPU backend (libggml-cpu*) beside " + library.path() + " runs on this processor");
    }
  }

  long cpuDevice() {
    try {
      return (long) library.function("ggml_backend_dev_by_type", "i:p").invokeExact(CPU_DEVICE);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** Names of the compute devices, such as {@code CPU}. */
  List<String> devices() {
    var names = new ArrayList<String>();
    try {
      long n = (long) library.function("ggml_backend_dev_count", ":l").invokeExact();
      MethodHandle get = library.function("ggml_backend_dev_get", "l:p");
      MethodHandle name = library.function("ggml_backend_dev_name", "p:p");
      for (long i = 0; i < n; i++) {
        names.add(NativeMemory.text((long) name.invokeExact((long) get.invokeExact(i))));
      }
      return names;
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }

  /** A function that the CPU backend offers by name, 0 when it offers none. */
  long cpuFunction(String name) {
    try (var arena = Arena.ofConfined()) {
      long registry =
          (long) library.function("ggml_backend_dev_backend_reg", "p:p").invokeExact(cpuDevice());
      long found =
          (long)
              library
                  .function("ggml_backend_reg_get_proc_address", "pp:p")
                  .invokeExact(registry, arena.allocateFrom(name).address());
      return found != 0 ? found : library.address(name);
    } catch (Throwable failure) {
      throw NativeLibrary.unexpected(failure);
    }
  }
}
