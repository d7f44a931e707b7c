package org.modeltracer.heads;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.TensorType;

/**
 * Weights of a model file as float32, row by row, whatever their type.
 *
 * <p>Read from the file, since llama.cpp may keep them in memory in a layout of its own.
 */
final class WeightFile {
  private final LlamaRuntime runtime;
  private final Path path;

  WeightFile(LlamaRuntime runtime, Path path) {
    this.runtime = runtime;
    this.path = path;
  }

  /** Takes the rows of a tensor in order. */
  interface RowReader {
    /** One row; the array is used again for the next. */
    void row(float[] values);
  }

  /** Whether ggml can convert this tensor's type to float32. */
  boolean readable(TensorInfo tensor) {
    return runtime.type(tensor.type().id()).convertible();
  }

  /** Reads all rows of dimension 0. */
  void read(TensorInfo tensor, RowReader reader) {
    TensorType type = runtime.type(tensor.type().id());
    int width = Math.toIntExact(tensor.dimension(0));
    long bytes = type.rowBytes(width);
    float[] values = new float[width];
    try (var channel = FileChannel.open(path);
        Arena arena = Arena.ofConfined()) {
      MemorySegment data =
          channel.map(FileChannel.MapMode.READ_ONLY, tensor.offset(), tensor.bytes(), arena);
      MemorySegment row = arena.allocate(4L * width, 64);
      for (long r = 0; r < tensor.elements() / width; r++) {
        type.toFloat(data.asSlice(r * bytes, bytes), row, width);
        MemorySegment.copy(row, ValueLayout.JAVA_FLOAT, 0, values, 0, width);
        reader.row(values);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
