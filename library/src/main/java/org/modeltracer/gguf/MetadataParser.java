package org.modeltracer.gguf;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.modeltracer.model.CutText;

/** Reads the key-value pairs of a GGUF file. */
final class MetadataParser {
  /** Bytes of the shortest pair: an empty key's length, one byte of it, a type, one byte. */
  static final int SHORTEST_PAIR = Long.BYTES + 1 + Integer.BYTES + 1;

  /** Bytes of metadata, at most, that are held; some times as many as any model has. */
  private static final long MOST_BYTES = 256L << 20;

  private static final int LONGEST_KEY = 65535;
  private static final int[] NO_STARTS = {};

  private final ByteReader in;
  private long held;

  MetadataParser(ByteReader in) {
    this.in = in;
  }

  Metadata read(long count) throws IOException {
    var metadata = new Metadata();
    for (long i = 1; i <= count; i++) {
      in.enter("metadata entry " + i + " of " + count);
      long at = in.position();
      String key = key();
      in.enter("the value of " + key);
      ValueType type = type(key);
      long valueAt = in.position();
      Value value = type == ValueType.ARRAY ? array(key) : scalar(key, type);
      if (!metadata.add(key, value, valueAt)) {
        throw GgufException.at(at, "metadata key \"%s\" appears twice", key);
      }
    }
    return metadata;
  }

  private String key() throws IOException {
    long at = in.position();
    int length = in.stringLength();
    if (length == 0 || length > LONGEST_KEY) {
      throw GgufException.at(
          at, "%s has a key of %d bytes, not 1 to %d", in.part(), length, LONGEST_KEY);
    }
    hold(length);
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(in.bytes(length)))
          .toString();
    } catch (CharacterCodingException e) {
      throw GgufException.at(at + Long.BYTES, "%s has a key that is not UTF-8", in.part());
    }
  }

  private ValueType type(String key) throws IOException {
    long at = in.position();
    int id = in.i32();
    return ValueType.ofId(id)
        .orElseThrow(() -> GgufException.at(at, "\"%s\" has unknown value type %d", key, id));
  }

  private Value scalar(String key, ValueType type) throws IOException {
    return switch (type) {
      case BOOL -> new Value.Bool(bool(key));
      case STRING -> text();
      case FLOAT32 -> new Value.Real(type, Float.intBitsToFloat(in.i32()));
      case FLOAT64 -> new Value.Real(type, Double.longBitsToDouble(in.i64()));
      case UINT8 -> new Value.Int(type, in.u8());
      case INT8 -> new Value.Int(type, (byte) in.u8());
      case UINT16 -> new Value.Int(type, u16());
      case INT16 -> new Value.Int(type, (short) u16());
      case UINT32 -> new Value.Int(type, Integer.toUnsignedLong(in.i32()));
      case INT32 -> new Value.Int(type, in.i32());
      case UINT64, INT64 -> new Value.Int(type, in.i64());
      case ARRAY -> throw new IllegalArgumentException("an array is not a scalar");
    };
  }

  private Value.Text text() throws IOException {
    int length = in.stringLength();
    if (length > Value.Text.LONGEST) {
      var text = new CutText();
      in.pass(length, text);
      return new Value.Text(text.toString(), length);
    }
    hold(length);
    return new Value.Text(new String(in.bytes(length), StandardCharsets.UTF_8), length);
  }

  /** Counts what stays in memory. */
  private void hold(long bytes) {
    held += bytes;
    if (held > MOST_BYTES) {
      throw GgufException.at(
          in.position(),
          "%s: more than %d MiB of metadata, which no model has",
          in.part(),
          MOST_BYTES >> 20);
    }
  }

  private int u16() throws IOException {
    return in.u8() | in.u8() << 8;
  }

  private boolean bool(String key) throws IOException {
    long at = in.position();
    int value = in.u8();
    if (value > 1) {
      throw GgufException.at(at, "\"%s\" is a bool of value %d, not 0 or 1", key, value);
    }
    return value == 1;
  }

  private ArrayValue array(String key) throws IOException {
    long typeAt = in.position();
    ValueType type = type(key);
    if (type == ValueType.ARRAY) {
      throw GgufException.at(
          typeAt, "\"%s\" is an array of arrays, which llama.cpp does not read", key);
    }
    long at = in.position();
    long count = in.i64();
    int shortest = type == ValueType.STRING ? Long.BYTES : type.bytes();
    if (count < 0 || count > in.remaining() / shortest || count > ByteReader.LONGEST / shortest) {
      throw GgufException.at(
          at,
          "\"%s\" claims %s elements of type %s, %d bytes are left in the file",
          key,
          Long.toUnsignedString(count),
          type,
          in.remaining());
    }
    int size = (int) count;
    hold(type == ValueType.STRING ? (long) size * Integer.BYTES : (long) size * type.bytes());
    return switch (type) {
      case STRING -> strings(size);
      case BOOL -> bools(key, size);
      default -> new ArrayValue(type, size, in.bytes(size * type.bytes()), NO_STARTS);
    };
  }

  private ArrayValue bools(String key, int size) throws IOException {
    long at = in.position();
    byte[] raw = in.bytes(size);
    for (int i = 0; i < size; i++) {
      if (raw[i] != 0 && raw[i] != 1) {
        throw GgufException.at(at + i, "\"%s\" has a bool of value %d, not 0 or 1", key, raw[i]);
      }
    }
    return new ArrayValue(ValueType.BOOL, size, raw, NO_STARTS);
  }

  /** Walks over the strings to find where they end, then copies them all at once. */
  private ArrayValue strings(int size) throws IOException {
    long start = in.position();
    var starts = new int[size + 1];
    for (int i = 0; i < size; i++) {
      int length = in.stringLength();
      in.skip(length);
      hold(Long.BYTES + length);
      starts[i + 1] = (int) (in.position() - start);
    }
    return new ArrayValue(ValueType.STRING, size, in.since(start), starts);
  }
}
