package org.modeltracer.weights;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Shard;
import org.modeltracer.gguf.TensorInfo;

/**
 * The weights as they are in the file or files, mapped into memory and converted to float32 by
 * ggml.
 *
 * <p>What a backend holds may be packed differently; the file is what can be wrong. May be read by
 * several threads at once.
 */
public final class WeightFile implements AutoCloseable {
  private static final int CHUNK = 1 << 16;

  private final GgufFile gguf;
  private final Dequantizer ggml;
  private final Map<Path, FileChannel> channels = new HashMap<>();

  /** Takes the rows of a tensor, several at a time and in order. */
  public interface Rows {
    /**
     * So many rows.
     *
     * @param values float32 {@code [count, width]}, valid during the call
     * @param count number of rows, at least 1
     */
    void accept(MemorySegment values, long count);
  }

  /**
   * Opens a file, or all files of a split model.
   *
   * @throws UncheckedIOException when one cannot be read
   */
  public WeightFile(GgufFile gguf, Dequantizer ggml) {
    this.gguf = gguf;
    this.ggml = ggml;
    try {
      for (Shard shard : gguf.shards()) {
        channels.put(shard.path(), FileChannel.open(shard.path(), StandardOpenOption.READ));
      }
    } catch (IOException e) {
      close();
      throw failed(e);
    }
  }

  /** The tensor of that name, if the file has it and ggml can decode it. */
  public Optional<TensorInfo> tensor(String name) {
    return gguf.tensor(name).filter(this::readable);
  }

  /** Whether ggml can convert a tensor's type to float32. */
  public boolean readable(TensorInfo tensor) {
    return ggml.converts(tensor.type()) && tensor.elements() > 0;
  }

  /** All tensors, in file order. */
  public List<TensorInfo> tensors() {
    return gguf.tensors();
  }

  /** Number of rows of dimension 0. */
  public static long rows(TensorInfo tensor) {
    return tensor.elements() / tensor.dimension(0);
  }

  /** Reads all rows of a readable tensor. */
  public void read(TensorInfo tensor, Rows reader) {
    read(tensor, 0, rows(tensor), reader);
  }

  /** Reads rows {@code from <= r < to} of a readable tensor. */
  public void read(TensorInfo tensor, long from, long to, Rows reader) {
    long width = tensor.dimension(0);
    long rowBytes = tensor.type().bytes(width);
    long step = Math.max(1, CHUNK / width);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = bytes(tensor, from * rowBytes, (to - from) * rowBytes, arena);
      MemorySegment floats = arena.allocate(4 * step * width, 64);
      for (long row = 0; row < to - from; row += step) {
        long n = Math.min(step, to - from - row);
        ggml.toFloat(tensor.type(), data.asSlice(row * rowBytes, n * rowBytes), floats, n * width);
        reader.accept(floats.asSlice(0, 4 * n * width), n);
      }
    }
  }

  /** Bytes of a tensor as they are in the file, mapped for as long as the arena lives. */
  public MemorySegment bytes(TensorInfo tensor, long offset, long size, Arena arena) {
    if (offset < 0 || size < 0 || offset + size > tensor.bytes()) {
      throw new IndexOutOfBoundsException(
          "bytes %d to %d of %s, which has %d"
              .formatted(offset, offset + size, tensor.name(), tensor.bytes()));
    }
    try {
      return Objects.requireNonNull(channels.get(tensor.file()))
          .map(FileChannel.MapMode.READ_ONLY, tensor.offset() + offset, size, arena);
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private UncheckedIOException failed(IOException e) {
    return new UncheckedIOException("cannot read weights of " + gguf.path() + ": " + e, e);
  }

  @Override
  public void close() {
    try {
      for (FileChannel channel : channels.values()) {
        channel.close();
      }
    } catch (IOException e) {
      throw failed(e);
    }
  }
}
