package org.modeltracer.gguf;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a GGUF file says of itself: version, metadata, tensor table.
 *
 * <p>The tensor data stay in the file and are known to lie within it.
 */
public final class GgufFile {
  private final Path path;
  private final int version;
  private final long size;
  private final long alignment;
  private final long dataOffset;
  private final Metadata metadata;
  private final Map<String, TensorInfo> byName;
  private final List<TensorInfo> tensors;

  GgufFile(
      Path path,
      int version,
      long size,
      long alignment,
      long dataOffset,
      Metadata metadata,
      Map<String, TensorInfo> byName) {
    this.path = path;
    this.version = version;
    this.size = size;
    this.alignment = alignment;
    this.dataOffset = dataOffset;
    this.metadata = metadata;
    this.byName = byName;
    this.tensors = List.copyOf(byName.values());
  }

  /**
   * Reads and checks everything but the tensor data.
   *
   * @throws GgufException if there is no such file, it cannot be read, or it is not a sound GGUF
   *     file of version 2 or 3
   */
  public static GgufFile read(Path path) {
    String name = path.toString();
    if (Files.isDirectory(path)) {
      throw GgufException.of(null, "%s is a directory, not a GGUF file", name);
    }
    if (Files.exists(path) && !Files.isRegularFile(path)) {
      throw GgufException.of(null, "%s is not a regular file", name);
    }
    try (var channel = FileChannel.open(path, StandardOpenOption.READ)) {
      return new FileParser(path, new ByteReader(channel)).read();
    } catch (NoSuchFileException e) {
      throw GgufException.of(e, "no such file: %s", name);
    } catch (AccessDeniedException e) {
      throw GgufException.of(e, "no permission to read %s", name);
    } catch (IOException e) {
      throw GgufException.of(e, "cannot read %s: %s", name, String.valueOf(e.getMessage()));
    }
  }

  /** Path the file was read from. */
  public Path path() {
    return path;
  }

  /** Format version, 2 or 3. */
  public int version() {
    return version;
  }

  /** Length of the file, in bytes. */
  public long size() {
    return size;
  }

  /** Alignment of tensor data, in bytes, a power of two. */
  public long alignment() {
    return alignment;
  }

  /** Byte at which the tensor data begin. */
  public long dataOffset() {
    return dataOffset;
  }

  /** The key-value pairs. */
  public Metadata metadata() {
    return metadata;
  }

  /** Tokens of context that the model was trained on, where the file says so. */
  public OptionalLong trainedContext() {
    return metadata.integer(architecture().orElse("") + ".context_length");
  }

  /** The tensors, in file order. */
  public List<TensorInfo> tensors() {
    return tensors;
  }

  /** The tensor of a name. */
  public Optional<TensorInfo> tensor(String name) {
    return Optional.ofNullable(byName.get(name));
  }

  /** The architecture, such as {@code llama}, if the file names one. */
  public Optional<String> architecture() {
    return metadata.string("general.architecture");
  }

  /** Number of files the model is split into; 1 when it is whole. */
  public int splitCount() {
    return Math.clamp(metadata.integer("split.count").orElse(1), 1, Integer.MAX_VALUE);
  }
}
