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
import java.util.regex.Pattern;
import org.modeltracer.model.Pooling;

/**
 * What a GGUF file says of itself: version, metadata, tensor table.
 *
 * <p>The tensor data stay in the file and are known to lie within it. A model that is split into
 * several files is one {@code GgufFile}, whichever of them was named; {@link #shards()} are the
 * files.
 */
public final class GgufFile {
  /** What split(1) and people name the pieces of a file, as {@code model.gguf.part1of2}. */
  private static final Pattern PIECE =
      Pattern.compile(
          "(?i)\\.gguf[.-](part[-_]?\\w{1,3}(of\\d+)?|split-\\w{1,3}|\\d{2,3}|a[a-z])$");

  private final List<Shard> shards;
  private final Metadata metadata;
  private final Map<String, TensorInfo> byName;
  private final List<TensorInfo> tensors;

  GgufFile(List<Shard> shards, Metadata metadata, Map<String, TensorInfo> byName) {
    this.shards = List.copyOf(shards);
    this.metadata = metadata;
    this.byName = byName;
    this.tensors = List.copyOf(byName.values());
  }

  /**
   * Reads and checks everything but the tensor data, of all files of a split model.
   *
   * @throws GgufException if there is no such file, it cannot be read, or it is not a sound GGUF
   *     file of version 2 or 3; if a shard of a split model is missing, in the wrong place, or of
   *     another model
   */
  public static GgufFile read(Path path) {
    SplitModel.missing(path)
        .ifPresent(
            missing -> {
              throw missing;
            });
    return SplitModel.of(readAlone(path));
  }

  /** Reads one file, be it a shard. */
  static GgufFile readAlone(Path path) {
    String name = path.toString();
    if (Files.isDirectory(path)) {
      throw GgufException.of(null, "%s is a directory, not a GGUF file", name);
    }
    if (Files.exists(path) && !Files.isRegularFile(path)) {
      throw GgufException.of(null, "%s is not a regular file", name);
    }
    try (var channel = FileChannel.open(path, StandardOpenOption.READ)) {
      return new FileParser(path, new ByteReader(channel)).read();
    } catch (GgufException e) {
      throw PIECE.matcher(name).find()
          ? GgufException.with("by its name this is a piece of a file: join the pieces with cat", e)
          : e;
    } catch (NoSuchFileException e) {
      throw GgufException.of(
          e,
          name.indexOf('\uFFFD') < 0
              ? "no such file: %s"
              : "no such file: %s: a name that is not UTF-8 cannot be opened: rename the file, or"
                  + " link to it with ln -s",
          name);
    } catch (AccessDeniedException e) {
      throw GgufException.of(e, "no permission to read %s", name);
    } catch (IOException e) {
      throw GgufException.of(e, "cannot read %s: %s", name, String.valueOf(e.getMessage()));
    }
  }

  /** Path of the file; of a split model, that of its first shard, by which llama.cpp opens it. */
  public Path path() {
    return shards.getFirst().path();
  }

  /** The files that the model lies in, in order; one unless it is split. */
  public List<Shard> shards() {
    return shards;
  }

  /** Format version, 2 or 3; of a split model, that of its first shard. */
  public int version() {
    return shards.getFirst().version();
  }

  /** Length of the file, in bytes; of a split model, of all shards. */
  public long size() {
    return shards.stream().mapToLong(Shard::size).sum();
  }

  /** Alignment of tensor data, in bytes, a power of two; of a split model, in its first shard. */
  public long alignment() {
    return shards.getFirst().alignment();
  }

  /** Byte at which the tensor data begin; of a split model, in its first shard. */
  public long dataOffset() {
    return shards.getFirst().dataOffset();
  }

  /** The key-value pairs; of a split model, those of its first shard. */
  public Metadata metadata() {
    return metadata;
  }

  /** Tokens of context that the model was trained on, where the file says so. */
  public OptionalLong trainedContext() {
    return metadata.integer(architecture().orElse("") + ".context_length");
  }

  /** Whether tokens see earlier ones only; an encoder's see all of the text. */
  public boolean causal() {
    String architecture = architecture().orElse("");
    // T5's encoder by itself does not say so: it has no decoder to be told from.
    return metadata
        .bool(architecture + ".attention.causal")
        .orElse(!architecture.equals("t5encoder"));
  }

  /** How the file makes one embedding of a text; empty where it makes none. */
  public Optional<Pooling> pooling() {
    long type = metadata.integer(architecture().orElse("") + ".pooling_type").orElse(0);
    return switch (Math.clamp(type, 0, Integer.MAX_VALUE)) {
      case 1 -> Optional.of(Pooling.MEAN);
      case 2 -> Optional.of(Pooling.CLS);
      case 3 -> Optional.of(Pooling.LAST);
      default -> Optional.empty();
    };
  }

  /** Rows of the table of learned positions, beyond which there is none; empty without a table. */
  public OptionalLong learnedPositions() {
    return tensor("position_embd.weight").stream().mapToLong(t -> t.dimension(1)).findFirst();
  }

  /** The tensors, in file order, shard after shard. */
  public List<TensorInfo> tensors() {
    return tensors;
  }

  /** The tensor of a name. */
  public Optional<TensorInfo> tensor(String name) {
    return Optional.ofNullable(byName.get(name));
  }

  /** What the file is for. */
  public GgufKind kind() {
    return GgufKind.of(this);
  }

  /** The architecture, such as {@code llama}, if the file names one. */
  public Optional<String> architecture() {
    return metadata.string("general.architecture");
  }
}
