package org.modeltracer.gguf;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the tensor table: shapes that multiply without overflow, data laid out one after another.
 */
final class TensorTableParser {
  /** Bytes of the shortest line: a name of one byte, no dimensions, a type, an offset. */
  static final int SHORTEST_LINE = Long.BYTES + 1 + Integer.BYTES + Integer.BYTES + Long.BYTES;

  /** ggml keeps names in 64 bytes, the last of them zero. */
  private static final int LONGEST_NAME = 63;

  private static final int MOST_DIMENSIONS = 4;

  private final Path file;
  private final ByteReader in;
  private final long alignment;
  private long expectedOffset;

  TensorTableParser(Path file, ByteReader in, long alignment) {
    this.file = file;
    this.in = in;
    this.alignment = alignment;
  }

  /** The tensors by name, in file order; their offsets count from the end of the table. */
  Map<String, TensorInfo> read(long count) throws IOException {
    var tensors = new LinkedHashMap<String, TensorInfo>();
    for (long i = 1; i <= count; i++) {
      in.enter("tensor " + i + " of " + count);
      long at = in.position();
      TensorInfo tensor = line();
      if (tensors.putIfAbsent(tensor.name(), tensor) != null) {
        throw GgufException.at(at, "tensor name \"%s\" appears twice", tensor.name());
      }
    }
    return tensors;
  }

  private TensorInfo line() throws IOException {
    String name = name();
    in.enter("tensor \"" + name + "\"");
    long shapeAt = in.position();
    List<Long> shape = shape(name);
    long typeAt = in.position();
    int id = in.i32();
    GgmlType type =
        GgmlType.ofId(id)
            .orElseThrow(
                () ->
                    GgufException.at(
                        typeAt,
                        "tensor \"%s\" has unknown type %d: " + StrangeType.words(id),
                        name,
                        id));
    long bytes = bytes(name, type, shape, shapeAt);
    return new TensorInfo(name, type, shape, file, offset(name, bytes), bytes);
  }

  private String name() throws IOException {
    long at = in.position();
    int length = in.stringLength();
    if (length == 0 || length > LONGEST_NAME) {
      throw GgufException.at(
          at,
          "%s (as many as the header claims at byte 8) has a name of %d bytes, not 1 to %d",
          in.part(),
          length,
          LONGEST_NAME);
    }
    String name = new String(in.bytes(length), StandardCharsets.UTF_8);
    if (name.indexOf('\0') >= 0) {
      throw GgufException.at(at + Long.BYTES, "tensor name \"%s\" has a zero byte", name);
    }
    return name;
  }

  private List<Long> shape(String name) throws IOException {
    long at = in.position();
    int dimensions = in.i32();
    if (dimensions < 0 || dimensions > MOST_DIMENSIONS) {
      throw GgufException.at(
          at,
          "tensor \"%s\" has %s dimensions, ggml holds at most %d",
          name,
          Integer.toUnsignedString(dimensions),
          MOST_DIMENSIONS);
    }
    var shape = new ArrayList<Long>(dimensions);
    for (int i = 0; i < dimensions; i++) {
      long dimensionAt = in.position();
      long elements = in.i64();
      if (elements <= 0) {
        throw GgufException.at(
            dimensionAt, "tensor \"%s\" has dimension %d of size %d", name, i, elements);
      }
      shape.add(elements);
    }
    return shape;
  }

  private static long bytes(String name, GgmlType type, List<Long> shape, long at) {
    if (!shape.isEmpty() && shape.getFirst() % type.blockSize() != 0
        || (shape.isEmpty() && type.quantized())) {
      throw GgufException.at(
          at,
          "tensor \"%s\" of type %s has shape %s: rows must be multiples of %d elements",
          name,
          type,
          shape,
          type.blockSize());
    }
    try {
      long elements = shape.stream().mapToLong(Long::longValue).reduce(1, Math::multiplyExact);
      return type.bytes(elements);
    } catch (ArithmeticException e) {
      throw GgufException.at(at, "tensor \"%s\" of shape %s is larger than any file", name, shape);
    }
  }

  private long offset(String name, long bytes) throws IOException {
    long at = in.position();
    long offset = in.i64();
    if (offset != expectedOffset) {
      throw GgufException.at(
          at,
          "tensor \"%s\" has data offset %s, expected %d, %s",
          name,
          Long.toUnsignedString(offset),
          expectedOffset,
          offset % alignment != 0
              ? "and it is not a multiple of the alignment " + alignment
              : offset >= 0 && offset < expectedOffset
                  ? "so it overlaps the tensor before it"
                  : "where the tensor before it ends");
    }
    try {
      expectedOffset = padded(Math.addExact(offset, bytes), alignment);
    } catch (ArithmeticException e) {
      throw GgufException.at(at, "tensor \"%s\" ends beyond what a file can hold", name);
    }
    return offset;
  }

  /**
   * The next multiple of the alignment, a power of two.
   *
   * @throws ArithmeticException if it does not fit in 63 bits
   */
  static long padded(long offset, long alignment) {
    return Math.addExact(offset, alignment - 1) & -alignment;
  }
}
