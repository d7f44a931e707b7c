package org.modeltracer.llama;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Consumer;

/** Default parameters as a library of a given layout would write them, with padding untouched. */
final class SyntheticDefaults {
  private SyntheticDefaults() {}

  static Defaults of(String struct, CStruct layout) {
    return of(struct, layout, bytes -> {});
  }

  /** The same with bytes changed by a test. */
  static Defaults of(String struct, CStruct layout, Consumer<ByteBuffer> change) {
    return Defaults.of(struct, written(layout, 0xA5, change), written(layout, 0x5A, change));
  }

  private static ByteBuffer written(CStruct layout, int prefill, Consumer<ByteBuffer> change) {
    byte[] memory = new byte[512];
    Arrays.fill(memory, (byte) prefill);
    ByteBuffer bytes = ByteBuffer.wrap(memory).order(ByteOrder.nativeOrder());
    for (CStruct.Field field : layout.fields().values()) {
      String value = Objects.requireNonNull(field.expected());
      switch (field.type()) {
        case BOOL -> bytes.put(field.offset(), Byte.parseByte(value));
        case PTR -> bytes.putLong(field.offset(), Long.parseLong(value));
        case F32 -> bytes.putFloat(field.offset(), Float.parseFloat(value));
        case I32, U32 -> bytes.putInt(field.offset(), Integer.parseInt(value));
      }
    }
    change.accept(bytes);
    return bytes;
  }
}
