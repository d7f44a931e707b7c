package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.modeltracer.gguf.GgmlType;

/**
 * Images of tensors that are in another process, laid out as ggml lays out its own, so that {@link
 * Tensor} windows read them as they read any other.
 *
 * <p>What an image is made of was told by a process that is not to be trusted: nothing enters that
 * ggml's own functions could stumble over, every pointer is one of ours, and a tensor has data only
 * while as many bytes as it spans are known to be there.
 */
public final class TensorImages implements AutoCloseable {
  private static final long MOST = 1L << 42;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

  private final LlamaRuntime runtime;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment structs;
  private final int count;

  /** Images of so many tensors, none of which is defined yet. */
  public TensorImages(LlamaRuntime runtime, int count) {
    this.runtime = runtime;
    this.count = count;
    structs = arena.allocate(count * Tensor.BYTES, 16);
  }

  /** How large a tensor is and how it lies in memory: four sizes, four strides in bytes. */
  public record Shape(int flags, long[] ne, long[] nb, long viewOffset) {}

  /** What a tensor is: its type, its operation and that operation's parameters, its name. */
  public record Kind(int type, int op, int[] params, byte[] name) {}

  /** A number for an operation of another process's ggml. */
  public int op(String name, String description) {
    return runtime.ggml().foreignOp(name, description);
  }

  /** Address of an image. */
  public long address(int i) {
    return structs.address() + at(i);
  }

  private long at(int i) {
    if (i < 0 || i >= count) {
      throw new IllegalArgumentException("no tensor " + i + " among " + count);
    }
    return i * Tensor.BYTES;
  }

  /**
   * Defines an image.
   *
   * @param view address of the image that this one is a view of, 0 for none
   * @param sources addresses of images, 0 for none
   * @throws IllegalArgumentException for what no tensor can be
   */
  public void define(int i, Kind kind, Shape shape, long view, long[] sources) {
    long at = at(i);
    if (GgmlType.ofId(kind.type).filter(runtime.ggml()::knows).isEmpty()) {
      throw new IllegalArgumentException("no ggml type has number " + kind.type);
    }
    structs.asSlice(at, Tensor.BYTES).fill((byte) 0);
    structs.set(INT, at + Tensor.TYPE, kind.type);
    structs.set(LONG, at + Tensor.BUFFER, Ggml.IMAGES.address());
    structs.set(INT, at + Tensor.OP, kind.op);
    for (int p = 0; p < Math.min(Tensor.PARAMS, kind.params.length); p++) {
      structs.set(INT, at + Tensor.OP_PARAMS + 4L * p, kind.params[p]);
    }
    for (int s = 0; s < Math.min(Tensor.SOURCES, sources.length); s++) {
      structs.set(LONG, at + Tensor.SRC + 8L * s, sources[s]);
    }
    structs.set(LONG, at + Tensor.VIEW_SRC, view);
    int length = Math.min(kind.name.length, Tensor.NAME_BYTES - 1);
    MemorySegment.copy(
        MemorySegment.ofArray(Arrays.copyOf(kind.name, length)),
        0,
        structs,
        at + Tensor.NAME,
        length);
    resize(i, shape);
  }

  /**
   * Changes the sizes of an image, which then has no data.
   *
   * @throws IllegalArgumentException for sizes that no tensor can have
   */
  public void resize(int i, Shape shape) {
    long at = at(i);
    long elements = 1;
    for (int d = 0; d < Tensor.DIMS; d++) {
      long n = shape.ne[d];
      long stride = shape.nb[d];
      if (n < 0 || n > MOST || stride < 0 || stride > MOST) {
        throw new IllegalArgumentException("no tensor is of that size");
      }
      if (n > 0 && (elements > MOST / n || stride > MOST / n)) {
        throw new IllegalArgumentException("no tensor is of that size");
      }
      elements *= n;
    }
    if (shape.viewOffset < 0 || shape.viewOffset > MOST) {
      throw new IllegalArgumentException("no tensor begins there");
    }
    structs.set(INT, at + Tensor.FLAGS, shape.flags);
    for (int d = 0; d < Tensor.DIMS; d++) {
      structs.set(LONG, at + Tensor.NE + 8L * d, shape.ne[d]);
      structs.set(LONG, at + Tensor.NB + 8L * d, shape.nb[d]);
    }
    structs.set(LONG, at + Tensor.VIEW_OFFSET, shape.viewOffset);
    structs.set(LONG, at + Tensor.DATA, 0);
  }

  /**
   * Gives an image its values: memory that stays until they are taken away again.
   *
   * @throws IllegalArgumentException when they are not as many bytes as it spans
   */
  public void data(int i, MemorySegment values) {
    long at = at(i);
    GgmlType type = GgmlType.ofId(structs.get(INT, at + Tensor.TYPE)).orElseThrow();
    long elements = 1;
    for (int d = 0; d < Tensor.DIMS; d++) {
      elements *= structs.get(LONG, at + Tensor.NE + 8L * d);
    }
    // A stride of zero would make few bytes look like many elements.
    if (values.byteSize() < runtime.spanBytes(address(i))
        || values.byteSize() < type.bytes(elements)) {
      throw new IllegalArgumentException("a tensor's values are fewer than it has");
    }
    structs.set(LONG, at + Tensor.DATA, values.address());
  }

  /** Takes an image's values away. */
  public void clear(int i) {
    structs.set(LONG, at(i) + Tensor.DATA, 0);
  }

  @Override
  public void close() {
    arena.close();
  }
}
