package org.modeltracer.diagnose;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.TensorType;

/**
 * The weights as they are in the file, mapped into memory and converted by ggml.
 *
 * <p>What a backend holds may be packed differently; the file is what can be wrong.
 */
final class WeightFile implements AutoCloseable {
  private static final int CHUNK = 1 << 16;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final GgufFile gguf;
  private final LlamaRuntime runtime;
  private final FileChannel channel;
  private final Map<String, WeightStats> known = new ConcurrentHashMap<>();

  WeightFile(GgufFile gguf, LlamaRuntime runtime) {
    this.gguf = gguf;
    this.runtime = runtime;
    try {
      channel = FileChannel.open(gguf.path(), StandardOpenOption.READ);
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** The tensor of that name, if the file has it and ggml can decode it. */
  Optional<TensorInfo> tensor(String name) {
    return gguf.tensor(name).filter(this::readable);
  }

  boolean readable(TensorInfo tensor) {
    return runtime.type(tensor.type().id()).convertible() && tensor.elements() > 0;
  }

  /** All tensors, in file order. */
  List<TensorInfo> tensors() {
    return gguf.tensors();
  }

  /** Statistics of a whole tensor; computed once. */
  WeightStats stats(TensorInfo tensor) {
    return stats(tensor, bytes -> {});
  }

  /** As {@link #stats(TensorInfo)}, telling how many more bytes have been read. */
  WeightStats stats(TensorInfo tensor, LongConsumer progress) {
    WeightStats before = known.get(tensor.name());
    if (before != null) {
      return before;
    }
    WeightStats stats = scan(tensor, 0, rows(tensor), progress);
    known.put(tensor.name(), stats);
    return stats;
  }

  static long rows(TensorInfo tensor) {
    return tensor.elements() / tensor.dimension(0);
  }

  /**
   * Statistics of rows {@code from <= r < to}; the index of the first bad value is the tensor's.
   */
  WeightStats rows(TensorInfo tensor, long from, long to) {
    return scan(tensor, from, to, bytes -> {});
  }

  private WeightStats scan(TensorInfo tensor, long from, long to, LongConsumer progress) {
    long width = tensor.dimension(0);
    long rowBytes = tensor.type().bytes(width);
    long step = Math.max(1, CHUNK / width);
    TensorType type = runtime.type(tensor.type().id());
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = map(tensor.offset() + from * rowBytes, (to - from) * rowBytes, arena);
      MemorySegment floats = arena.allocate(4 * step * width, 64);
      var sum = new Sum(width, tensor.dimension(1), from);
      for (long row = 0; row < to - from; row += step) {
        long n = Math.min(step, to - from - row);
        type.toFloat(data.asSlice(row * rowBytes, n * rowBytes), floats, n * width);
        for (long r = 0; r < n; r++) {
          sum.row(floats, 4 * r * width);
        }
        progress.accept(n * rowBytes);
      }
      return sum.stats();
    }
  }

  /** Part of a block of a quantized tensor that is not finite, or null. */
  @Nullable String badPart(TensorInfo tensor, long element) {
    long block = element / tensor.type().blockSize();
    int bytes = tensor.type().blockBytes();
    try (Arena arena = Arena.ofConfined()) {
      return BlockLayout.badPart(tensor.type(), map(tensor.offset() + block * bytes, bytes, arena));
    }
  }

  private MemorySegment map(long offset, long bytes, Arena arena) {
    try {
      return channel.map(FileChannel.MapMode.READ_ONLY, offset, bytes, arena);
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
      channel.close();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** Adds up rows in order. */
  private static final class Sum {
    private final long width;
    private final long rowsPerSlice;
    private final List<Integer> zeroSlices = new ArrayList<>();
    private final long firstRow;
    private long row;
    private long nan;
    private long inf;
    private long zero;
    private float absMax;
    private long firstBad = -1;
    private long zeroRows;
    private long firstZeroRow = -1;
    private long zeroRowsOfSlice;

    Sum(long width, long rowsPerSlice, long firstRow) {
      this.width = width;
      this.rowsPerSlice = rowsPerSlice;
      this.firstRow = firstRow;
      row = firstRow;
    }

    void row(MemorySegment floats, long offset) {
      float max = absMax;
      long zeros = 0;
      for (long i = 0; i < width; i++) {
        float x = Math.abs(floats.get(FLOAT, offset + 4 * i));
        if (!(x <= Float.MAX_VALUE)) {
          bad(row * width + i, x);
        } else if (x > max) {
          max = x;
        } else if (x == 0) {
          zeros++;
        }
      }
      absMax = max;
      zero += zeros;
      if (zeros == width) {
        firstZeroRow = firstZeroRow < 0 ? row : firstZeroRow;
        zeroRows++;
        zeroRowsOfSlice++;
      }
      row++;
      if (row % rowsPerSlice == 0) {
        if (zeroRowsOfSlice == rowsPerSlice) {
          zeroSlices.add((int) (row / rowsPerSlice) - 1);
        }
        zeroRowsOfSlice = 0;
      }
    }

    private void bad(long element, float x) {
      firstBad = firstBad < 0 ? element : firstBad;
      if (Float.isNaN(x)) {
        nan++;
      } else {
        inf++;
      }
    }

    WeightStats stats() {
      return new WeightStats(
          (row - firstRow) * width,
          nan,
          inf,
          zero,
          absMax,
          firstBad,
          zeroRows,
          firstZeroRow,
          List.copyOf(zeroSlices));
    }
  }
}
