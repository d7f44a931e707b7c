package org.modeltracer.probe;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.modeltracer.graph.TensorData;
import org.modeltracer.kernels.Kernels;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorType;

/**
 * The keys of a layer, {@code [stream, head, cell, width]} whatever their layout, as float32 for
 * products with queries; read once for each pass of the layer.
 *
 * <p>Few queries take them as they lie, many take them laid out in panels.
 */
final class KeyVectors {
  private final Tensor tensor;
  private final TensorData data;
  private Arena arena = Arena.ofShared();
  private MemorySegment floats = MemorySegment.NULL;
  private float[][] panels = {};
  private int[] laidStream = {};
  private Kernels kernels = Kernels.chosen();
  private boolean laid;
  private int converted = -1;
  private int width;
  private int cells;
  private int heads;

  /** Keys of the tensor that a caller opens. */
  KeyVectors(Tensor tensor, TensorData data) {
    this.tensor = tensor;
    this.data = data;
  }

  /**
   * Begins with the keys of a tensor that has just been opened.
   *
   * @param inPanels whether there are many queries
   */
  void open(Kernels with, boolean inPanels) {
    kernels = with;
    laid = inPanels;
    width = (int) tensor.ne(0);
    cells = (int) tensor.ne(1);
    heads = (int) tensor.ne(2);
    converted = -1;
    if (panels.length < heads) {
      panels = new float[heads][];
      laidStream = new int[heads];
    }
    Arrays.fill(laidStream, -1);
  }

  /**
   * Products of vectors with the first cells' keys of a head in a stream.
   *
   * @param few {@code [rows, width]}
   * @param into {@code [rows, room]}
   */
  void products(float[] few, int rows, int head, int stream, int count, float[] into, int room) {
    convert(stream);
    if (!laid) {
      long at = (long) head * width;
      long stride = (long) heads * width;
      kernels.products(few, rows, width, floats, at, stride, 0, count, into, room);
      return;
    }
    if (laidStream[head] != stream) {
      lay(head, stream);
    }
    kernels.panelProducts(few, rows, width, panels[head], 0, count, into, room);
  }

  /** Converts and lays out the keys of all heads of the first stream; products only read then. */
  void prepare() {
    convert(0);
    for (int head = 0; laid && head < heads; head++) {
      lay(head, 0);
    }
  }

  private void lay(int head, int stream) {
    int padded = (cells / kernels.panel() + 1) * kernels.panel();
    if (panels[head] == null || panels[head].length < padded * width) {
      panels[head] = new float[padded * width];
    }
    kernels.panels(floats, (long) head * width, (long) heads * width, cells, width, panels[head]);
    laidStream[head] = stream;
  }

  /** Makes {@code [cell, head, width]} of a stream's keys: at once where they lie like that. */
  private void convert(int stream) {
    if (converted == stream) {
      return;
    }
    converted = stream;
    long bytes = 4L * cells * heads * width;
    if (floats.byteSize() < bytes) {
      arena.close();
      arena = Arena.ofShared();
      floats = arena.allocate(Math.max(bytes, 2 * floats.byteSize()), 64);
    }
    long start = stream * tensor.nb(3);
    long row = data.type().rowBytes(width);
    boolean heads1 = heads == 1 || tensor.nb(2) == row;
    if (data.type().id() != TensorType.F32 && heads1 && tensor.nb(1) == heads * row) {
      data.type().toFloat(data.values(), start, floats, (long) cells * heads * width);
      return;
    }
    for (int cell = 0; cell < cells; cell++) {
      for (int head = 0; head < heads; head++) {
        MemorySegment from = data.floats(start + cell * tensor.nb(1) + head * tensor.nb(2), width);
        long to = 4L * width * ((long) cell * heads + head);
        MemorySegment.copy(from, data.rowOffset(), floats, to, 4L * width);
      }
    }
  }

  void close() {
    arena.close();
  }
}
