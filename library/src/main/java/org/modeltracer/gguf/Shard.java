package org.modeltracer.gguf;

import java.nio.file.Path;

/**
 * A file that a model lies in: the only one, or one of those it is split into.
 *
 * @param path path it was read from
 * @param version format version, 2 or 3
 * @param size length of the file, in bytes
 * @param alignment alignment of its tensor data, in bytes, a power of two
 * @param dataOffset byte at which its tensor data begin
 * @param tensors number of tensors in it
 */
public record Shard(
    Path path, int version, long size, long alignment, long dataOffset, int tensors) {

  /** Name of the file, without its folder. */
  public String name() {
    return String.valueOf(path.getFileName());
  }
}
