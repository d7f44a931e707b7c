package org.modeltracer.llama;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.StringTokenizer;
import org.jspecify.annotations.Nullable;

/**
 * Layout of a C struct: its fields with their offsets, by C's alignment rules, and their defaults.
 *
 * @param since oldest llama.cpp release known to have the layout
 * @param until newest llama.cpp release known to have the layout
 * @param size bytes
 * @param fields by name, in order
 */
record CStruct(String since, String until, int size, Map<String, Field> fields) {
  /** What a field holds. */
  enum Type {
    I32(Integer.BYTES),
    U32(Integer.BYTES),
    F32(Float.BYTES),
    BOOL(1),
    PTR(Long.BYTES);

    private final int bytes;

    Type(int bytes) {
      this.bytes = bytes;
    }

    static Type named(String name) {
      return valueOf(name.toUpperCase(Locale.ROOT));
    }
  }

  /**
   * One field.
   *
   * @param offset bytes from the start of the struct
   * @param expected what the library's default for this field is, or null when any will do
   */
  record Field(String name, Type type, int offset, @Nullable String expected) {
    int bytes() {
      return type.bytes;
    }

    String read(ByteBuffer struct) {
      return switch (type) {
        case BOOL -> Integer.toString(struct.get(offset));
        case PTR -> struct.getLong(offset) == 0 ? "0" : "set";
        case F32 -> Float.toString(struct.getFloat(offset));
        case I32, U32 -> Integer.toString(struct.getInt(offset));
      };
    }
  }

  /** Parses one {@code type name=default} a line, as a header lists the fields. */
  static CStruct parse(String release, String text) {
    var fields = new LinkedHashMap<String, Field>();
    int offset = 0;
    for (String line : text.lines().toList()) {
      var words = new StringTokenizer(line, " =");
      Type type = Type.named(words.nextToken());
      String name = words.nextToken();
      offset = (offset + type.bytes - 1) / type.bytes * type.bytes;
      String expected = words.hasMoreTokens() ? words.nextToken() : null;
      fields.put(name, new Field(name, type, offset, expected));
      offset += type.bytes;
    }
    return new CStruct(release, release, (offset + 7) / 8 * 8, fields);
  }

  /** The same layout, known to be that old. */
  CStruct since(String release) {
    return new CStruct(release, until, size, fields);
  }

  /** Releases the layout was seen in, such as {@code b10361 to v0.5.0}. */
  String generation() {
    return since.equals(until) ? since : since + " to " + until;
  }

  /** Offset of a field that every generation has. */
  int offset(String field) {
    return Objects.requireNonNull(fields.get(field), field).offset();
  }

  Optional<Field> field(String name) {
    return Optional.ofNullable(fields.get(name));
  }

  boolean has(String field) {
    return fields.containsKey(field);
  }

  /** Whether every field of the other layout is in this one, at the same place. */
  boolean contains(CStruct other) {
    return other.fields.values().stream()
        .allMatch(f -> fields.containsKey(f.name()) && offset(f.name()) == f.offset());
  }

  /** What in the defaults is not as this layout has it, in words. */
  List<String> mismatches(Defaults defaults) {
    var wrong = new ArrayList<String>();
    var covered = new BitSet();
    for (Field f : fields.values()) {
      covered.set(f.offset(), f.offset() + f.bytes());
      String found = f.read(defaults.bytes());
      if (f.expected() != null && !found.equals(f.expected())) {
        wrong.add(f.name() + "@" + f.offset() + " is " + found + ", not " + f.expected());
      }
    }
    // Padding may hold anything that was there before, but a library that sets it has a field
    // there.
    for (int i = covered.nextClearBit(0); i < size; i = covered.nextClearBit(i + 1)) {
      if (defaults.holdsValue(i)) {
        wrong.add("byte " + i + " is " + defaults.bytes().get(i) + ", where no field was");
      }
    }
    return wrong;
  }
}
