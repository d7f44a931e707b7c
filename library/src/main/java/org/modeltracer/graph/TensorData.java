package org.modeltracer.graph;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorType;
import org.modeltracer.model.RunningStats;

/**
 * The values of a tensor during its callback, wherever they are and however they are laid out.
 *
 * <p>Host tensors are read in place; others are copied out by their backend, in few large copies
 * without what is not wanted. Rows that are not float32 are converted by ggml. Nothing read here
 * outlives the callback.
 */
public final class TensorData implements AutoCloseable {
  /** Bytes that nobody wants and that are copied all the same: another copy costs as much. */
  static final long GAP = 1 << 16;

  private static final int HEADS = 2;

  private final LlamaRuntime runtime;
  private final boolean forceCopy;
  private final Arena arena = Arena.ofShared();
  private MemorySegment staging = MemorySegment.NULL;
  private MemorySegment row = MemorySegment.NULL;
  private MemorySegment values = MemorySegment.NULL;
  private final HostWindows windows = new HostWindows();
  private TensorType type;
  private long rowOffset;

  /** Dimensions 1 to 3 by their stride, the largest first. */
  private final int[] order = new int[Tensor.DIMS - 1];

  private long pendingFrom;
  private long pendingTo;
  private long bytesCopied;

  /**
   * A reader.
   *
   * @param forceCopy whether host tensors too are read through their backend; for tests
   */
  public TensorData(LlamaRuntime runtime, boolean forceCopy) {
    this.runtime = runtime;
    this.forceCopy = forceCopy;
    this.type = runtime.type(TensorType.F32);
  }

  /** Points this reader at a tensor's values: from its first element to its last. */
  public MemorySegment open(Tensor t) {
    return open(t, null);
  }

  /**
   * The same where only some heads are wanted, whose values alone are sure to be there.
   *
   * @param heads which indices of dimension 2; null for all
   */
  public MemorySegment open(Tensor t, @Nullable IntPredicate heads) {
    type = runtime.type(t.type());
    long bytes = t.spanBytes();
    if (!forceCopy && t.isHost()) {
      values = windows.of(t, bytes);
    } else {
      reserve(bytes);
      copyOut(t, heads);
      values = staging;
    }
    return values;
  }

  private void reserve(long bytes) {
    if (staging.byteSize() < bytes) {
      staging = arena.allocate(bytes, 64);
    }
  }

  /** Copies each row to where it lies in the tensor, and rows near each other at once. */
  private void copyOut(Tensor t, @Nullable IntPredicate heads) {
    for (int i = 0; i < order.length; i++) {
      int at = i;
      while (at > 0 && t.nb(order[at - 1]) < t.nb(i + 1)) {
        order[at] = order[at - 1];
        at--;
      }
      order[at] = i + 1;
    }
    pendingFrom = 0;
    pendingTo = 0;
    long row =
        t.nb(0) == type.blockBytes()
            ? type.rowBytes(t.ne(0))
            : (t.ne(0) - 1) * t.nb(0) + type.blockBytes();
    rows(t, heads, 0, 0, row);
    copy(t);
  }

  private void rows(Tensor t, @Nullable IntPredicate heads, int level, long offset, long row) {
    if (level == order.length) {
      if (pendingTo == 0 || offset - pendingTo > GAP) {
        copy(t);
        pendingFrom = offset;
      }
      pendingTo = Math.max(pendingTo, offset + row);
      return;
    }
    int d = order[level];
    for (int i = 0; i < t.ne(d); i++) {
      if (d != HEADS || heads == null || heads.test(i)) {
        rows(t, heads, level + 1, offset + i * t.nb(d), row);
      }
    }
  }

  private void copy(Tensor t) {
    long bytes = pendingTo - pendingFrom;
    if (bytes > 0) {
      t.read(pendingFrom, staging.asSlice(pendingFrom, bytes), bytes);
      bytesCopied += bytes;
    }
  }

  /** Bytes copied out of a backend's memory. */
  public long bytesCopied() {
    return bytesCopied;
  }

  /** The values of the tensor opened last. */
  public MemorySegment values() {
    return values;
  }

  /** Element type of the tensor opened last. */
  public TensorType type() {
    return type;
  }

  /**
   * A row of dimension 0 as float32, at byte {@link #rowOffset} of the segment returned.
   *
   * @param offset byte offset of the row in the tensor
   * @param n elements, a multiple of the type's block size
   */
  public MemorySegment floats(long offset, long n) {
    if (type.id() == TensorType.F32) {
      rowOffset = offset;
      return values;
    }
    if (row.byteSize() < 4 * n) {
      row = arena.allocate(4 * n, 64);
    }
    type.toFloat(values, offset, row, n);
    rowOffset = 0;
    return row;
  }

  /** Where the row that {@link #floats} returned begins. */
  public long rowOffset() {
    return rowOffset;
  }

  /** {@code n} elements from byte {@code offset} of a tensor on, as float32 from byte 0 on. */
  public MemorySegment part(Tensor t, long offset, long n) {
    type = runtime.type(t.type());
    long bytes = type.rowBytes(n);
    MemorySegment part;
    if (!forceCopy && t.isHost()) {
      part = windows.of(t, t.spanBytes()).asSlice(offset, bytes);
    } else {
      reserve(bytes);
      t.read(offset, staging, bytes);
      bytesCopied += bytes;
      part = staging;
    }
    if (type.id() == TensorType.F32) {
      return part;
    }
    if (row.byteSize() < 4 * n) {
      row = arena.allocate(4 * n, 64);
    }
    type.toFloat(part, row, n);
    return row;
  }

  /** Adds all values of a tensor to statistics, in the order of its dimensions. */
  public void addTo(RunningStats stats, Tensor t) {
    open(t);
    if (!type.convertible()) {
      return;
    }
    if (type.id() == TensorType.F32 && t.nb(0) == 4 && dense(t)) {
      stats.add(values, 0, t.elements());
      return;
    }
    boolean rows = t.nb(0) == type.blockBytes();
    for (long k = 0; k < t.ne(3); k++) {
      for (long j = 0; j < t.ne(2); j++) {
        for (long i = 0; i < t.ne(1); i++) {
          long offset = i * t.nb(1) + j * t.nb(2) + k * t.nb(3);
          if (rows) {
            MemorySegment floats = floats(offset, t.ne(0));
            stats.add(floats, rowOffset, t.ne(0));
          } else {
            for (long e = 0; e < t.ne(0); e++) {
              MemorySegment one = floats(offset + e * t.nb(0), 1);
              stats.add(one, rowOffset, 1);
            }
          }
        }
      }
    }
  }

  private static boolean dense(Tensor t) {
    long stride = 4;
    for (int d = 0; d < Tensor.DIMS; d++) {
      if (t.ne(d) != 1 && t.nb(d) != stride) {
        return false;
      }
      stride *= t.ne(d);
    }
    return true;
  }

  /** Frees what was copied. */
  @Override
  public void close() {
    arena.close();
  }
}
