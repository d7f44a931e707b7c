package org.modeltracer.llama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.BitSet;
import java.util.function.Consumer;
import org.modeltracer.llama.ffi.NativeLibrary;

/**
 * What a {@code *_default_params} function of a library writes, and which bytes it leaves alone.
 *
 * <p>Seen by calling it twice over different prefills: a byte that differs was not written. Padding
 * is often left alone, so the last byte written shows the size but for its rounding.
 *
 * @param struct name of the C struct
 * @param bytes the first of the two copies
 * @param written which of the bytes the library wrote
 */
record Defaults(String struct, ByteBuffer bytes, BitSet written) {
  private static final int ALIGNMENT = 8;

  /**
   * The defaults of a loaded library.
   *
   * @param write writes the struct into memory of any length that holds it
   */
  static Defaults of(String struct, Consumer<MemorySegment> write) {
    return of(struct, call(write, 0xA5), call(write, 0x5A));
  }

  /** The defaults as two copies show them that were made over prefills without a common byte. */
  static Defaults of(String struct, ByteBuffer one, ByteBuffer other) {
    var written = new BitSet();
    for (int i = 0; i < one.capacity(); i++) {
      written.set(i, one.get(i) == other.get(i));
    }
    return new Defaults(struct, one, written);
  }

  private static ByteBuffer call(Consumer<MemorySegment> write, int prefill) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(NativeLibrary.PARAMS_BYTES, 16);
      result.fill((byte) prefill);
      write.accept(result);
      return ByteBuffer.wrap(result.toArray(ValueLayout.JAVA_BYTE)).order(ByteOrder.nativeOrder());
    }
  }

  /** Bytes of the struct. */
  int size() {
    return (written.length() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Whether the library put something other than zero into a byte. */
  boolean holdsValue(int offset) {
    return written.get(offset) && bytes.get(offset) != 0;
  }
}
