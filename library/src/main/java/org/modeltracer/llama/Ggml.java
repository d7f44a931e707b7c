package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.llama.ffi.DeviceType;
import org.modeltracer.llama.ffi.GgmlFunctions;
import org.modeltracer.llama.ffi.NativeMemory;
import org.modeltracer.llama.ffi.OfferedFunction;
import org.modeltracer.process.Trail;

/** What reading a graph takes of ggml: operations and types by number, bounded copies, devices. */
final class Ggml {
  private static final int MAX_TYPES = 256;
  private static final int MAX_OPS = 256;
  private static final int MAX_FOREIGN = 4096;
  private static final long TRAITS_BYTES = 56;
  private static final long OBJECT_HEADER = 32;

  /** The last type that every known release has. */
  private static final GgmlType LAST_IN_ALL = GgmlType.TQ2_0;

  private static final List<GgmlType> PROBED = List.of(GgmlType.F32, GgmlType.F16, GgmlType.Q8_0);

  private record NamedOp(Op op, String name, String description, MemorySegment label) {}

  /** Stands for the buffer of tensors that are images of another process's; never looked into. */
  static final MemorySegment IMAGES = Arena.global().allocate(8, 8);

  private final GgmlFunctions functions;
  private final AtomicReferenceArray<NamedOp> ops =
      new AtomicReferenceArray<>(MAX_OPS + MAX_FOREIGN);
  private final AtomicReferenceArray<TensorType> types = new AtomicReferenceArray<>(MAX_TYPES);

  /**
   * Checks that structs are laid out as they are read here.
   *
   * @throws LlamaException when one is not
   */
  Ggml(GgmlFunctions functions) {
    this.functions = functions;
    // ggml_tensor_overhead is the tensor and the object header before it.
    long size = functions.tensorOverhead() - OBJECT_HEADER;
    if (size != Tensor.BYTES) {
      throw unknown("ggml_tensor", size + " bytes, known are " + Tensor.BYTES);
    }
    for (GgmlType expected : PROBED) {
      TensorType read = type(expected.id());
      boolean fits =
          read.name().equalsIgnoreCase(expected.name())
              && read.blockSize() == expected.blockSize()
              && read.blockBytes() == expected.blockBytes()
              && read.quantized() == expected.blockSize() > 1
              && read.convertible();
      if (!fits) {
        throw unknown("ggml_type_traits", "%s reads as %s".formatted(expected, read));
      }
    }
  }

  private static LlamaException unknown(String struct, String why) {
    return new LlamaException(
        LlamaException.Kind.LIBRARY, "unknown layout of %s: %s".formatted(struct, why));
  }

  GgmlFunctions functions() {
    return functions;
  }

  Op op(int code) {
    return named(code).op;
  }

  String opName(int code) {
    return named(code).name;
  }

  /** The name as C has it, ended by a zero. */
  MemorySegment opLabel(int code) {
    return named(code).label;
  }

  private static MemorySegment label(String name) {
    byte[] bytes = name.getBytes(StandardCharsets.US_ASCII);
    return MemorySegment.ofArray(Arrays.copyOf(bytes, Math.min(bytes.length, Trail.NAME - 1) + 1));
  }

  /** Numbers come from tensors only: ggml answers for those that it knows. */
  private NamedOp named(int code) {
    if (code < 0 || code >= ops.length()) {
      throw new IllegalStateException("no ggml operation has number " + code);
    }
    NamedOp known = ops.get(code);
    if (known == null) {
      if (code >= MAX_OPS) {
        throw new IllegalStateException("no operation of another ggml has number " + code);
      }
      String name = functions.opName(code);
      known = new NamedOp(Op.named(name), name, name, label(name));
      ops.set(code, known);
    }
    return known;
  }

  /** A number for an operation of a ggml in another process, which has numbers of its own. */
  synchronized int foreignOp(String name, String description) {
    for (int code = MAX_OPS; code < ops.length(); code++) {
      NamedOp known = ops.get(code);
      if (known == null) {
        ops.set(code, new NamedOp(Op.named(name), name, description, label(name)));
        return code;
      }
      if (known.name.equals(name) && known.description.equals(description)) {
        return code;
      }
    }
    throw new IllegalStateException("more operations than any ggml has");
  }

  /** The operation of a tensor with unary and gated ones distinguished. */
  String opDescription(long tensor, int code) {
    return code >= MAX_OPS ? named(code).description : functions.opDescription(tensor);
  }

  boolean isHost(long buffer) {
    return buffer == IMAGES.address() || buffer != 0 && functions.isHostBuffer(buffer);
  }

  void read(long tensor, MemorySegment target, long offset, long bytes) {
    if (bytes == 0) {
      return;
    }
    if (offset < 0 || bytes > target.byteSize() || offset + bytes > functions.bytes(tensor)) {
      throw new IndexOutOfBoundsException(
          "reading " + bytes + " bytes at " + offset + " of a smaller tensor or into less room");
    }
    if (bufferOf(tensor) == IMAGES.address()) {
      long data = Tensor.MEMORY.get(ValueLayout.JAVA_LONG, tensor + Tensor.DATA);
      if (data == 0) {
        throw new IllegalStateException("the values of this tensor are in another process");
      }
      MemorySegment.copy(NativeMemory.at(data + offset, bytes), 0, target, 0, bytes);
      return;
    }
    functions.read(tensor, target, offset, bytes);
  }

  void write(long tensor, MemorySegment source, long offset, long bytes) {
    if (bytes == 0) {
      return;
    }
    if (offset < 0 || bytes > source.byteSize() || offset + bytes > functions.bytes(tensor)) {
      throw new IndexOutOfBoundsException(
          "writing " + bytes + " bytes at " + offset + " of a smaller tensor or from fewer");
    }
    if (bufferOf(tensor) == IMAGES.address()) {
      throw new IllegalStateException("this tensor is an image of one in another process");
    }
    functions.write(tensor, source, offset, bytes);
  }

  private static long bufferOf(long tensor) {
    return Tensor.MEMORY.get(ValueLayout.JAVA_LONG, tensor + Tensor.BUFFER);
  }

  /** Whether the library has an element type; ggml ends the process over one that it has not. */
  boolean knows(GgmlType type) {
    return type.id() <= LAST_IN_ALL.id() || functions.dequantizes(type.ggmlName());
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
    MemorySegment traits = NativeMemory.at(functions.typeTraits(id), TRAITS_BYTES);
    var toFloat = new OfferedFunction(traits.get(ValueLayout.JAVA_LONG, 40));
    return new TensorType(
        id,
        NativeMemory.text(traits.get(ValueLayout.JAVA_LONG, 0)),
        (int) Math.max(1, traits.get(ValueLayout.JAVA_LONG, 8)),
        (int) traits.get(ValueLayout.JAVA_LONG, 24),
        traits.get(ValueLayout.JAVA_BOOLEAN, 32),
        toFloat.exists() ? toFloat.dequantization() : null);
  }

  /** Makes backends available that lie in files of their own beside the library. */
  void loadBackends(String folder) {
    if (cpuDevice() != 0) {
      return;
    }
    functions.loadBackends(folder);
    if (cpuDevice() == 0) {
      throw new LlamaException(
          LlamaException.Kind.LIBRARY,
          "no CPU backend (libggml-cpu*) in " + folder + " runs on this processor");
    }
  }

  long cpuDevice() {
    return functions.deviceByType(DeviceType.CPU);
  }

  /** A function that the CPU backend offers by name. */
  OfferedFunction cpuFunction(String name) {
    return functions.offered(functions.deviceRegistry(cpuDevice()), name);
  }
}
