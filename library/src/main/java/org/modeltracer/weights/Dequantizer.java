package org.modeltracer.weights;

import java.lang.foreign.MemorySegment;
import org.modeltracer.gguf.GgmlType;

/**
 * Converts weights to float32: ggml's own conversion, handed in so that files need no llama.cpp.
 */
public interface Dequantizer {
  /** Whether there is a conversion of a type. */
  boolean converts(GgmlType type);

  /**
   * Converts {@code n} elements to float32; both segments must be native.
   *
   * @param n a multiple of the type's block size
   */
  void toFloat(GgmlType type, MemorySegment source, MemorySegment target, long n);
}
