package org.modeltracer.llama;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.modeltracer.llama.ffi.NativeMemory;
import org.modeltracer.process.Trail;

/**
 * A window on one {@code ggml_tensor}, moved from tensor to tensor without allocating.
 *
 * <p>Every read lies inside the struct's 336 bytes, whose size the runtime has checked. The window
 * is valid while the graph that owns the tensor is: inside the callback that handed it over.
 */
public final class Tensor {
  /** Bytes of a {@code ggml_tensor}, the same in all known generations. */
  static final long BYTES = 336;

  /** Dimensions of a tensor. */
  public static final int DIMS = 4;

  /** 32-bit parameters of an operation. */
  static final int PARAMS = 16;

  static final int SOURCES = 10;
  static final int NAME_BYTES = Trail.NAME;
  private static final byte[] NODE = {'n', 'o', 'd', 'e', '_'};
  private static final byte[] LEAF = {'l', 'e', 'a', 'f', '_'};
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

  /** All of memory, read only at {@code address + [0, BYTES)}: one window, so that none is made. */
  static final MemorySegment MEMORY = NativeMemory.at(0, Long.MAX_VALUE);

  static final long TYPE = 0;
  static final long BUFFER = 8;
  static final long NE = 16;
  static final long NB = 48;
  static final long OP = 80;
  static final long OP_PARAMS = 84;
  static final long FLAGS = 148;
  static final long SRC = 152;
  static final long VIEW_SRC = 232;
  static final long VIEW_OFFSET = 240;
  static final long DATA = 248;
  static final long NAME = 256;

  private final LlamaRuntime runtime;
  private long address;

  /** A window on nothing yet. */
  public Tensor(LlamaRuntime runtime) {
    this.runtime = runtime;
  }

  /** Moves the window to the tensor at an address, which must not be null. */
  public Tensor at(long tensor) {
    if (tensor == 0) {
      throw new IllegalArgumentException("no tensor at a null pointer");
    }
    address = tensor;
    return this;
  }

  /** A second window on the same tensor. */
  public Tensor copy() {
    return new Tensor(runtime).at(address);
  }

  /** Address of the struct: the tensor's identity within one graph. */
  public long address() {
    return address;
  }

  /** ggml type number; {@link LlamaRuntime#type} says what it means. */
  public int type() {
    return MEMORY.get(INT, address + TYPE);
  }

  /** Elements in dimension {@code i}, fastest first. */
  public long ne(int i) {
    return MEMORY.get(LONG, address + NE + 8L * dim(i));
  }

  /** Stride of dimension {@code i} in bytes. */
  public long nb(int i) {
    return MEMORY.get(LONG, address + NB + 8L * dim(i));
  }

  private static int dim(int i) {
    return Objects.checkIndex(i, DIMS);
  }

  /** Number of elements. */
  public long elements() {
    return ne(0) * ne(1) * ne(2) * ne(3);
  }

  /** Number of the operation, which differs between generations; see {@link #op()}. */
  public int opCode() {
    return MEMORY.get(INT, address + OP);
  }

  /** The operation. */
  public Op op() {
    return runtime.op(opCode());
  }

  /** Name of the operation, such as {@code MUL_MAT}. */
  public String opName() {
    return runtime.opName(opCode());
  }

  /** Name of the operation with unary and gated ones distinguished, such as {@code SILU}. */
  public String opDescription() {
    return runtime.opDescription(address, opCode());
  }

  /** The i-th 32-bit operation parameter as a float. */
  public float floatParam(int i) {
    return Float.intBitsToFloat(intParam(i));
  }

  /** The i-th 32-bit operation parameter. */
  public int intParam(int i) {
    return MEMORY.get(INT, address + OP_PARAMS + 4L * Objects.checkIndex(i, PARAMS));
  }

  /** The operation with its parameters, as they are now. */
  public Operation operation() {
    List<Integer> params = IntStream.range(0, PARAMS).mapToObj(this::intParam).toList();
    return new Operation(opCode(), opDescription(), params);
  }

  /** Makes a fresh tensor the result of an operation on others. */
  static void define(long tensor, Operation operation, long... sources) {
    MemorySegment struct = NativeMemory.at(tensor, BYTES);
    struct.set(INT, OP, operation.code());
    for (int i = 0; i < PARAMS; i++) {
      struct.set(INT, OP_PARAMS + 4L * i, operation.params().get(i));
    }
    for (int i = 0; i < sources.length; i++) {
      struct.set(LONG, SRC + 8L * i, sources[i]);
    }
  }

  /** Flag bits of ggml. */
  public int flags() {
    return MEMORY.get(INT, address + FLAGS);
  }

  /** Address of the i-th source tensor, 0 when there is none. */
  public long source(int i) {
    return MEMORY.get(LONG, address + SRC + 8L * Objects.checkIndex(i, SOURCES));
  }

  /** Address of the tensor that this one is a view of, 0 when it is none. */
  public long viewSource() {
    return MEMORY.get(LONG, address + VIEW_SRC);
  }

  /** Bytes from the start of the viewed tensor. */
  public long viewOffset() {
    return MEMORY.get(LONG, address + VIEW_OFFSET);
  }

  /** Address of the data; of use only when {@link #isHost}. */
  public long data() {
    return MEMORY.get(LONG, address + DATA);
  }

  /** Address of the backend buffer that holds the data, a view's own or its source's. */
  public long buffer() {
    long own = MEMORY.get(LONG, address + BUFFER);
    long viewed = viewSource();
    return own != 0 || viewed == 0 ? own : MEMORY.get(LONG, viewed + BUFFER);
  }

  /** Whether the data can be read in place. */
  public boolean isHost() {
    return data() != 0 && runtime.isHostBuffer(buffer());
  }

  /** Bytes from the first element to the last, gaps of a strided view included. */
  public long spanBytes() {
    return runtime.spanBytes(address);
  }

  /** Whether rows of dimension 0 are dense and follow each other without gaps. */
  public boolean isContiguous() {
    return runtime.isContiguous(address);
  }

  /**
   * A hash of the name, computed without allocating; 0 for names that ggml made up.
   *
   * <p>Made up are {@code node_7}, {@code leaf_2} and what is derived from them: they depend on how
   * many nodes came before. A copy of an input on another device ({@code CUDA0#inp_pos#0}) counts
   * as the input itself.
   */
  public long nameHash() {
    long start = address + NAME;
    int from = 0;
    int length = 0;
    int first = -1;
    int last = -1;
    while (length < NAME_BYTES) {
      byte b = MEMORY.get(ValueLayout.JAVA_BYTE, start + length);
      if (b == 0) {
        break;
      }
      if (b == '#') {
        first = first < 0 ? length : first;
        last = length;
      }
      length++;
    }
    if (last > first) {
      from = first + 1;
      length = last;
    }
    if (isMadeUp(start + from, length - from)) {
      return 0;
    }
    long hash = 0xcbf29ce484222325L;
    for (int i = from; i < length; i++) {
      hash = (hash ^ MEMORY.get(ValueLayout.JAVA_BYTE, start + i)) * 0x100000001b3L;
    }
    return hash == 0 ? 1 : hash;
  }

  private static boolean isMadeUp(long start, int length) {
    if (length == 0 || MEMORY.get(ValueLayout.JAVA_BYTE, start) == ' ') {
      return true;
    }
    return startsWith(start, length, NODE) || startsWith(start, length, LEAF);
  }

  private static boolean startsWith(long start, int length, byte[] prefix) {
    if (length < prefix.length) {
      return false;
    }
    for (int i = 0; i < prefix.length; i++) {
      if (MEMORY.get(ValueLayout.JAVA_BYTE, start + i) != prefix[i]) {
        return false;
      }
    }
    return true;
  }

  /** Leaves its name, its operation and the name of its first source. */
  void mark(Trail trail) {
    long source = source(0);
    trail.node(MEMORY, address + NAME, source == 0 ? 0 : source + NAME, runtime.opLabel(opCode()));
  }

  /** Name, such as {@code ffn_out-2}; names repeat within a graph. */
  public String name() {
    byte[] bytes = new byte[NAME_BYTES];
    int n = 0;
    while (n < NAME_BYTES) {
      byte b = MEMORY.get(ValueLayout.JAVA_BYTE, address + NAME + n);
      if (b == 0) {
        break;
      }
      bytes[n++] = b;
    }
    return new String(bytes, 0, n, StandardCharsets.UTF_8);
  }

  /**
   * The data in place; the tensor must be on the host and the segment dies with the callback.
   *
   * <p>Asking costs a small object; a caller on the hot path keeps the segment while {@link #data}
   * and {@link #spanBytes} stay the same.
   */
  public MemorySegment hostData() {
    if (!isHost()) {
      throw new IllegalStateException(name() + " is not in host memory");
    }
    return NativeMemory.at(data(), spanBytes()).asReadOnly();
  }

  /**
   * Copies {@code bytes} bytes, from {@code offset} in this tensor, out of any backend's memory.
   */
  public void read(long offset, MemorySegment target, long bytes) {
    runtime.readTensor(address, target, offset, bytes);
  }

  /**
   * Overwrites {@code bytes} bytes, from {@code offset} in this tensor, in any backend's memory.
   *
   * <p>Done while the tensor is observed, before anything has read it, the rest of the pass goes on
   * from what was written.
   *
   * @param source native memory
   */
  public void write(long offset, MemorySegment source, long bytes) {
    runtime.writeTensor(address, source, offset, bytes);
  }

  @Override
  public String toString() {
    return address == 0 ? "no tensor" : name() + ":" + opName();
  }
}
