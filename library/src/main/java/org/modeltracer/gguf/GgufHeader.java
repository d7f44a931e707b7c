package org.modeltracer.gguf;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Writes the header of a GGUF file, version 3: metadata, then the table of tensors in the order in
 * which their data follow, each padded to {@link #ALIGNMENT}.
 */
public final class GgufHeader {
  /** Bytes to a multiple of which the header and each tensor's data are padded. */
  public static final int ALIGNMENT = 32;

  private static final int VERSION = 3;

  private final ByteArrayOutputStream pairs = new ByteArrayOutputStream();
  private final ByteArrayOutputStream table = new ByteArrayOutputStream();
  private long pairCount;
  private long tensorCount;
  private long dataBytes;

  /** Adds a text. */
  public GgufHeader text(String key, String value) {
    key(key, ValueType.STRING);
    text(pairs, value);
    return this;
  }

  /** Adds an unsigned 32-bit number. */
  public GgufHeader number(String key, int value) {
    key(key, ValueType.UINT32);
    u32(pairs, value);
    return this;
  }

  /** Adds a 32-bit floating-point number. */
  public GgufHeader number(String key, float value) {
    key(key, ValueType.FLOAT32);
    u32(pairs, Float.floatToRawIntBits(value));
    return this;
  }

  /** Adds a list of texts. */
  public GgufHeader texts(String key, List<String> values) {
    array(key, ValueType.STRING, values.size());
    values.forEach(value -> text(pairs, value));
    return this;
  }

  /** Adds a list of signed 32-bit numbers. */
  public GgufHeader numbers(String key, int[] values) {
    array(key, ValueType.INT32, values.length);
    for (int value : values) {
      u32(pairs, value);
    }
    return this;
  }

  /** Adds a list of 32-bit floating-point numbers. */
  public GgufHeader numbers(String key, float[] values) {
    array(key, ValueType.FLOAT32, values.length);
    for (float value : values) {
      u32(pairs, Float.floatToRawIntBits(value));
    }
    return this;
  }

  /**
   * Adds a tensor.
   *
   * @param shape elements of each dimension, that of a row first, a multiple of the type's block
   */
  public GgufHeader tensor(String name, GgmlType type, long... shape) {
    tensorCount++;
    text(table, name);
    u32(table, shape.length);
    long elements = 1;
    for (long size : shape) {
      u64(table, size);
      elements = Math.multiplyExact(elements, size);
    }
    u32(table, type.id());
    u64(table, dataBytes);
    dataBytes += padded(elements / type.blockSize() * type.blockBytes());
    return this;
  }

  /** Bytes of all tensors, padded. */
  public long dataBytes() {
    return dataBytes;
  }

  /** The next multiple of the alignment. */
  public static long padded(long bytes) {
    return bytes + Math.floorMod(-bytes, (long) ALIGNMENT);
  }

  /** The header, padded: the first tensor's data follow. */
  public ByteBuffer bytes() {
    var whole = new ByteArrayOutputStream();
    whole.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
    u32(whole, VERSION);
    u64(whole, tensorCount);
    u64(whole, pairCount);
    whole.writeBytes(pairs.toByteArray());
    whole.writeBytes(table.toByteArray());
    whole.writeBytes(new byte[(int) (padded(whole.size()) - whole.size())]);
    return ByteBuffer.wrap(whole.toByteArray());
  }

  private void array(String key, ValueType elements, long count) {
    key(key, ValueType.ARRAY);
    u32(pairs, elements.ordinal());
    u64(pairs, count);
  }

  private void key(String key, ValueType type) {
    pairCount++;
    text(pairs, key);
    u32(pairs, type.ordinal());
  }

  private static void text(ByteArrayOutputStream out, String value) {
    byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
    u64(out, utf8.length);
    out.writeBytes(utf8);
  }

  private static void u32(ByteArrayOutputStream out, int value) {
    out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
  }

  private static void u64(ByteArrayOutputStream out, long value) {
    out.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
  }
}
