package org.modeltracer.llama;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgmlType;
import org.modeltracer.llama.ffi.OfferedFunction.Dequantization;

/**
 * An element type of ggml, quantized or not, with ggml's own conversion to float32.
 *
 * @param id ggml's number for it
 * @param name ggml's name, such as {@code q4_K}
 * @param blockSize elements per block, 1 when not quantized
 * @param blockBytes bytes per block
 * @param quantized whether blocks share scales
 * @param toFloat ggml's {@code to_float}, null for types without one
 */
public record TensorType(
    int id,
    String name,
    int blockSize,
    int blockBytes,
    boolean quantized,
    @Nullable Dequantization toFloat) {

  /** Number of {@code F32}, stable in all generations. */
  public static final int F32 = GgmlType.F32.id();

  /** Number of {@code F16}. */
  public static final int F16 = GgmlType.F16.id();

  /** Number of {@code I64}. */
  public static final int I64 = GgmlType.I64.id();

  /** Bytes of a row of {@code n} elements. */
  public long rowBytes(long n) {
    return n / blockSize * blockBytes;
  }

  /** Whether {@link #toFloat(MemorySegment, MemorySegment, long)} can convert this type. */
  public boolean convertible() {
    return id == F32 || toFloat != null;
  }

  /**
   * Converts {@code n} elements to float32; both segments must be native.
   *
   * @param n a multiple of the block size
   */
  public void toFloat(MemorySegment source, MemorySegment target, long n) {
    toFloat(source, 0, target, n);
  }

  /**
   * Converts {@code n} elements, from byte {@code offset} of a segment, to float32; both segments
   * must be native.
   *
   * @param n a multiple of the block size
   */
  public void toFloat(MemorySegment source, long offset, MemorySegment target, long n) {
    boolean within = offset >= 0 && offset + rowBytes(n) <= source.byteSize();
    if (n % blockSize != 0 || !within || target.byteSize() < 4 * n) {
      throw new IllegalArgumentException(n + " elements of " + name + " do not fit");
    }
    if (id == F32) {
      MemorySegment.copy(source, offset, target, 0, 4 * n);
      return;
    }
    if (toFloat == null) {
      throw new IllegalArgumentException("ggml cannot convert " + name + " to float");
    }
    toFloat.convert(source.address() + offset, target.address(), n);
  }
}
