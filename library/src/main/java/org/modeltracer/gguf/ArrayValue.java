package org.modeltracer.gguf;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.RandomAccess;

/**
 * An array of metadata values, kept as the bytes of the file and decoded one element at a time.
 *
 * <p>Indices outside 0 … {@link #size()} − 1 throw {@link IndexOutOfBoundsException}; asking for
 * elements of another kind throws {@link IllegalStateException}.
 */
public final class ArrayValue implements Value {
  private final ValueType elementType;
  private final int size;
  private final ByteBuffer raw;
  private final int[] starts;

  /**
   * @param starts of an array of strings, where each one's length field begins, and the end
   */
  ArrayValue(ValueType elementType, int size, byte[] raw, int[] starts) {
    this.elementType = elementType;
    this.size = size;
    this.raw = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN);
    this.starts = starts;
  }

  @Override
  public ValueType type() {
    return ValueType.ARRAY;
  }

  /** Type of the elements; never {@link ValueType#ARRAY}. */
  public ValueType elementType() {
    return elementType;
  }

  /** Number of elements. */
  public int size() {
    return size;
  }

  /** Element of an array of integers; a {@code uint64} over 2^63 − 1 appears negative. */
  public long integer(int index) {
    require(elementType.isInteger(), "integers");
    int at = Objects.checkIndex(index, size) * elementType.bytes();
    return switch (elementType) {
      case UINT8 -> Byte.toUnsignedLong(raw.get(at));
      case INT8 -> raw.get(at);
      case UINT16 -> Short.toUnsignedLong(raw.getShort(at));
      case INT16 -> raw.getShort(at);
      case UINT32 -> Integer.toUnsignedLong(raw.getInt(at));
      case INT32 -> raw.getInt(at);
      default -> raw.getLong(at);
    };
  }

  /** Element of an array of floating-point numbers, widened. */
  public double real(int index) {
    require(elementType.isFloat(), "floating-point numbers");
    int at = Objects.checkIndex(index, size) * elementType.bytes();
    return elementType == ValueType.FLOAT32 ? raw.getFloat(at) : raw.getDouble(at);
  }

  /** Element of an array of truth values. */
  public boolean bool(int index) {
    require(elementType == ValueType.BOOL, "truth values");
    return raw.get(index) != 0;
  }

  /** Element of an array of strings; bytes that are not UTF-8 appear as U+FFFD. */
  public String string(int index) {
    require(elementType == ValueType.STRING, "strings");
    int from = starts[index] + Long.BYTES;
    return new String(raw.array(), from, starts[index + 1] - from, StandardCharsets.UTF_8);
  }

  /** Bytes of an element of an array of strings, as in the file. */
  public byte[] stringBytes(int index) {
    require(elementType == ValueType.STRING, "strings");
    return Arrays.copyOfRange(raw.array(), starts[index] + Long.BYTES, starts[index + 1]);
  }

  /** The strings, decoded when asked for. */
  public List<String> strings() {
    require(elementType == ValueType.STRING, "strings");
    return new Strings();
  }

  /** Says what the array holds: its elements are not listed. */
  @Override
  public String toString() {
    return "[" + size + " × " + elementType + "]";
  }

  private void require(boolean holds, String what) {
    if (!holds) {
      throw new IllegalStateException("an array of " + elementType + " has no " + what);
    }
  }

  private final class Strings extends AbstractList<String> implements RandomAccess {
    @Override
    public String get(int index) {
      return string(index);
    }

    @Override
    public int size() {
      return size;
    }
  }
}
