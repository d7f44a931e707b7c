package org.modeltracer.diagnose;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorType;

/** Visits a tensor's elements one by one, whatever its strides. */
final class Elements {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** Takes a value, and where it lies in bytes from the tensor's start; false ends the visit. */
  interface Visitor {
    boolean visit(float value, long offset);
  }

  private final LlamaRuntime runtime;
  private final TensorData data;

  Elements(LlamaRuntime runtime, TensorData data) {
    this.runtime = runtime;
    this.data = data;
  }

  /** Visits all elements in the order of the dimensions; false when the visitor ended it. */
  boolean each(Tensor t, Visitor visitor) {
    for (long k = 0; k < t.ne(3); k++) {
      for (long j = 0; j < t.ne(2); j++) {
        for (long i = 0; i < t.ne(1); i++) {
          long offset = i * t.nb(1) + j * t.nb(2) + k * t.nb(3);
          if (!row(t, offset, visitor)) {
            return false;
          }
        }
      }
    }
    return true;
  }

  private boolean row(Tensor t, long offset, Visitor visitor) {
    TensorType type = runtime.type(t.type());
    boolean dense = t.nb(0) == type.blockBytes();
    MemorySegment values = dense ? data.part(t, offset, t.ne(0)) : MemorySegment.NULL;
    for (long e = 0; e < t.ne(0); e++) {
      long at = offset + e / type.blockSize() * t.nb(0);
      float x = dense ? values.get(FLOAT, 4 * e) : data.part(t, at, 1).get(FLOAT, 0);
      if (!visitor.visit(x, at)) {
        return false;
      }
    }
    return true;
  }

  /** The elements of an integer tensor in the order of its dimensions. */
  long[] integers(Tensor t) {
    long[] all = new long[Math.toIntExact(t.elements())];
    int bytes = t.type() == TensorType.I64 ? 8 : 4;
    try (var arena = Arena.ofConfined()) {
      MemorySegment one = arena.allocate(8, 8);
      int n = 0;
      for (long k = 0; k < t.ne(3); k++) {
        for (long j = 0; j < t.ne(2); j++) {
          for (long i = 0; i < t.ne(1); i++) {
            for (long e = 0; e < t.ne(0); e++) {
              t.read(e * t.nb(0) + i * t.nb(1) + j * t.nb(2) + k * t.nb(3), one, bytes);
              all[n++] =
                  bytes == 8 ? one.get(ValueLayout.JAVA_LONG, 0) : one.get(ValueLayout.JAVA_INT, 0);
            }
          }
        }
      }
    }
    return all;
  }
}
