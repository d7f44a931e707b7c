package org.modeltracer.testing;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Where each number of a sound GGUF header lies, so that it can be made to lie. */
public final class GgufAnatomy {
  private static final int STRING = 8;
  private static final int ARRAY = 9;
  private static final int[] BYTES = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

  /** What a number says. */
  public enum Part {
    MAGIC,
    VERSION,
    TENSOR_COUNT,
    PAIR_COUNT,
    KEY_LENGTH,
    KEY,
    VALUE_TYPE,
    SCALAR,
    STRING_LENGTH,
    TEXT,
    ARRAY_TYPE,
    ARRAY_COUNT,
    NAME_LENGTH,
    NAME,
    DIMENSIONS,
    SIZE,
    TENSOR_TYPE,
    OFFSET
  }

  /**
   * A number or a text of the header.
   *
   * @param of the key or tensor that it belongs to
   * @param type value type of a scalar, else 0
   */
  public record Field(Part part, String of, int type, int offset, int bytes) {}

  private final ByteBuffer in;
  private final List<Field> fields = new ArrayList<>();

  private GgufAnatomy(byte[] model) {
    in = ByteBuffer.wrap(model).order(ByteOrder.LITTLE_ENDIAN);
    field(Part.MAGIC, "", 0, 4);
    field(Part.VERSION, "", 0, 4);
    long tensors = in.getLong(in.position());
    field(Part.TENSOR_COUNT, "", 0, 8);
    long count = in.getLong(in.position());
    field(Part.PAIR_COUNT, "", 0, 8);
    for (long i = 0; i < count; i++) {
      pair();
    }
    for (long i = 0; i < tensors; i++) {
      tensor();
    }
  }

  /** The fields of a model's header, in its order. */
  public static List<Field> of(byte[] model) {
    return List.copyOf(new GgufAnatomy(model).fields);
  }

  private void field(Part part, String of, int type, int bytes) {
    fields.add(new Field(part, of, type, in.position(), bytes));
    in.position(in.position() + bytes);
  }

  private String text(Part length, Part content) {
    int bytes = (int) in.getLong(in.position());
    byte[] text = new byte[bytes];
    in.get(in.position() + 8, text);
    String name = new String(text, StandardCharsets.UTF_8);
    field(length, name, 0, 8);
    field(content, name, 0, bytes);
    return name;
  }

  private void pair() {
    String key = text(Part.KEY_LENGTH, Part.KEY);
    int type = in.getInt(in.position());
    field(Part.VALUE_TYPE, key, 0, 4);
    if (type == STRING) {
      text(Part.STRING_LENGTH, Part.TEXT);
    } else if (type == ARRAY) {
      int element = in.getInt(in.position());
      field(Part.ARRAY_TYPE, key, 0, 4);
      long count = in.getLong(in.position());
      field(Part.ARRAY_COUNT, key, 0, 8);
      for (long i = 0; i < count; i++) {
        int bytes = element == STRING ? 8 + (int) in.getLong(in.position()) : BYTES[element];
        in.position(in.position() + bytes);
      }
    } else {
      field(Part.SCALAR, key, type, BYTES[type]);
    }
  }

  private void tensor() {
    String name = text(Part.NAME_LENGTH, Part.NAME);
    int dimensions = in.getInt(in.position());
    field(Part.DIMENSIONS, name, 0, 4);
    for (int d = 0; d < dimensions; d++) {
      field(Part.SIZE, name, 0, 8);
    }
    field(Part.TENSOR_TYPE, name, 0, 4);
    field(Part.OFFSET, name, 0, 8);
  }
}
