package org.modeltracer.gguf;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A line of the tensor table.
 *
 * @param name name of the tensor, 1 … 63 bytes
 * @param type element type
 * @param shape elements along each dimension, the fastest first; empty for a scalar
 * @param file that holds the data
 * @param offset byte of that file at which the data begin
 * @param bytes length of the data
 */
public record TensorInfo(
    String name, GgmlType type, List<Long> shape, Path file, long offset, long bytes) {
  /** Copies the shape. */
  public TensorInfo {
    shape = List.copyOf(shape);
  }

  /** Elements along a dimension; 1 beyond the last. */
  public long dimension(int index) {
    return index < shape.size() ? shape.get(index) : 1;
  }

  /** Number of elements. */
  public long elements() {
    return shape.stream().mapToLong(Long::longValue).reduce(1, (a, b) -> a * b);
  }

  /** Its name, and with it that of its file where this is one of several. */
  public String place() {
    boolean shard = ShardName.of(file).filter(named -> named.count() > 1).isPresent();
    return shard ? name + " (in " + file.getFileName() + ")" : name;
  }

  /** Byte of the file just after the data. */
  public long end() {
    return offset + bytes;
  }

  @Override
  public String toString() {
    return shape.stream().map(Object::toString).collect(Collectors.joining("×", name + " ", " "))
        + type;
  }
}
