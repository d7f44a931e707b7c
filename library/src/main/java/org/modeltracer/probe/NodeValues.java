package org.modeltracer.probe;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorType;

/** The values of one node in one graph: a window, valid during the call that hands it over. */
public final class NodeValues {
  private NodeInfo node;
  private Tensor tensor;
  private int firstPosition;
  private int rows;
  private int width;
  private MemorySegment values = MemorySegment.NULL;
  private MemorySegment staging = MemorySegment.NULL;
  private final Arena arena = Arena.ofShared();

  NodeValues(NodeInfo node, Tensor tensor) {
    this.node = node;
    this.tensor = tensor;
  }

  NodeValues at(
      NodeInfo of, Tensor t, int first, int rowCount, int rowWidth, MemorySegment floats) {
    node = of;
    tensor = t;
    firstPosition = first;
    rows = rowCount;
    width = rowWidth;
    values = floats;
    return this;
  }

  /** Which node. */
  public NodeInfo node() {
    return node;
  }

  /** The node itself, whose inputs are intact unless it overwrote them. */
  public Tensor tensor() {
    return tensor;
  }

  /** Token position of the first row; rows of attention are {@code [query, head]}. */
  public int firstPosition() {
    return firstPosition;
  }

  /** Number of rows. */
  public int rows() {
    return rows;
  }

  /** Numbers a row; in attention as many as there are positions so far, 0 where none is seen. */
  public int width() {
    return width;
  }

  /** Dense float32 {@code [row, width]}; a row of attention that is not known is NaN. */
  public MemorySegment values() {
    return values;
  }

  /** Whether {@link #replace} can be done. */
  public boolean replaceable() {
    return tensor.type() == TensorType.F32
        && tensor.isContiguous()
        && tensor.elements() == (long) rows * width;
  }

  /**
   * Puts other values in place of those computed, before anything reads them.
   *
   * @param dense float32 {@code [row, width]}
   */
  public void replace(MemorySegment dense) {
    long bytes = 4L * rows * width;
    if (!replaceable() || dense.byteSize() < bytes) {
      throw new IllegalStateException(node.tensor() + " cannot be replaced by these values");
    }
    if (dense.isNative()) {
      tensor.write(0, dense, bytes);
      return;
    }
    if (staging.byteSize() < bytes) {
      staging = arena.allocate(bytes, 64);
    }
    MemorySegment.copy(dense, 0, staging, 0, bytes);
    tensor.write(0, staging, bytes);
  }

  void close() {
    arena.close();
  }
}
