package org.modeltracer.llama;

import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Layout of a C struct: its fields with their offsets, by C's alignment rules, and their defaults.
 *
 * @param generation llama.cpp release the layout was taken from
 * @param size bytes
 * @param fields by name, in order
 */
record CStruct(String generation, int size, Map<String, Field> fields) {
  /**
   * One field.
   *
   * @param type one of {@code i32 u32 f32 bool ptr}
   * @param offset bytes from the start of the struct
   * @param expected what the library's default for this field is, or null when any will do
   */
  record Field(String name, String type, int offset, @Nullable String expected) {
    int bytes() {
      return switch (type) {
        case "bool" -> 1;
        case "ptr" -> 8;
        default -> 4;
      };
    }

    String read(ByteBuffer struct) {
      return switch (type) {
        case "bool" -> Integer.toString(struct.get(offset));
        case "ptr" -> struct.getLong(offset) == 0 ? "0" : "set";
        case "f32" -> Float.toString(struct.getFloat(offset));
        default -> Integer.toString(struct.getInt(offset));
      };
    }
  }

  /** Parses one {@code type name=default} a line, as a header lists the fields. */
  static CStruct parse(String generation, String text) {
    var fields = new LinkedHashMap<String, Field>();
    int offset = 0;
    for (String line : text.strip().split("\\R")) {
      String[] words = line.strip().split("[ =]+");
      var unplaced =
          new Field(words[1], words[0], 0, words.length > 2 ? words[2] : null);
      int align = unplaced.bytes();
      offset = (offset + align - 1) / align * align;
      fields.put(words[1], new Field(words[1], words[0], offset, unplaced.expected()));
      offset += unplaced.bytes();
    }
    return new CStruct(generation, (offset + 7) / 8 * 8, fields);
  }

  /** Offset of a field that every generation has. */
  int offset(String field) {
    return Objects.requireNonNull(fields.get(field), field).offset();
  }

  Optional<Field> field(String name) {
    return Optional.ofNullable(fields.get(name));
  }

  /** Fields whose value in {@code defaults} is not the one this layout expects, in words. */
  List<String> mismatches(ByteBuffer defaults) {
    return fields.values().stream()
        .filter(f -> f.expected() != null && !f.read(defaults).equals(f.expected()))
        .map(f -> f.name() + "@" + f.offset() + " is " + f.read(defaults) + ", not " + f.expected())
        .toList();
  }
}
