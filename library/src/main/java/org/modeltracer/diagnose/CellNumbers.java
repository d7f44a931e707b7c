package org.modeltracer.diagnose;

import java.util.List;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Tensor;

/** From a byte of a view on a KV cache to the number of the cell it belongs to. */
final class CellNumbers {
  private final long start;
  private final long cellBytes;
  private final long rowBytes;
  private final long streamBytes;
  private final long streamCells;

  /** Numbers for the view {@code source} of a KV cache as {@code node} reads it. */
  static CellNumbers of(Tensor view, GraphNode node, GraphNode source) {
    // Only a product reads values transposed: without flash attention they are stored so.
    boolean transposed = node.is(Op.MUL_MAT) && source.root().name().startsWith("cache_v");
    return new CellNumbers(view, transposed, source.root().ne());
  }

  /**
   * Numbers for one view.
   *
   * @param transposed whether the values of a cell are not side by side, but cells are
   * @param cache sizes of the whole cache: {@code [row, cell, stream]}, or flat in old generations
   */
  CellNumbers(Tensor view, boolean transposed, List<Long> cache) {
    start = view.viewOffset();
    long least = Long.MAX_VALUE;
    long most = 0;
    for (int d = 0; d < Tensor.DIMS - 1; d++) {
      if (view.ne(d) > 1) {
        least = Math.min(least, view.nb(d));
        most = Math.max(most, view.nb(d));
      }
    }
    // Cells side by side repeat for each value of a row; else a cell is a row, the widest stride.
    cellBytes = transposed ? least : most;
    rowBytes = transposed ? nextStride(view, least) : Long.MAX_VALUE;
    streamCells = cache.get(1);
    boolean streams = cache.get(2) > 1;
    streamBytes = streams ? view.nb(3) : Long.MAX_VALUE;
  }

  private static long nextStride(Tensor view, long least) {
    long next = Long.MAX_VALUE;
    for (int d = 0; d < Tensor.DIMS - 1; d++) {
      if (view.nb(d) > least) {
        next = Math.min(next, view.nb(d));
      }
    }
    return next;
  }

  /** Cell of the byte at an offset from the view's start, streams one after the other. */
  int of(long offset) {
    long at = start + offset;
    long stream = at / streamBytes;
    return Math.toIntExact(stream * streamCells + at % streamBytes % rowBytes / cellBytes);
  }
}
