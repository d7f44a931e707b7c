package org.modeltracer.diagnose;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Tensor;

/**
 * Which dimension of a tensor counts tokens.
 *
 * @param dimension the dimension
 * @param size its size
 * @param streams sequences that dimension 3 counts beside, 1 when it counts none
 * @param width elements of that dimension a token takes: 1, but where all lies in one dimension
 */
record TokenDimension(int dimension, long size, long streams, long width) {

  /**
   * Finds the dimension by its size: that of the graph's tokens, or of its outputs.
   *
   * <p>Two may fit by chance, heads and tokens say. Products and softmaxes of attention have their
   * queries in dimension 1, all else with three dimensions has its tokens in dimension 2.
   *
   * @param memory whether this is written into a cache, where tokens may be side by side
   */
  static @Nullable TokenDimension of(Tensor t, int tokens, int outputs, boolean memory) {
    boolean products = t.op().equals("MUL_MAT") || t.op().equals("SOFT_MAX");
    int[] order = t.ne(2) == 1 || products ? new int[] {1, 2} : new int[] {2, 1};
    for (int n : new int[] {tokens, Math.max(1, outputs)}) {
      for (int d : order) {
        if (t.ne(d) * t.ne(3) == n) {
          return new TokenDimension(d, t.ne(d), t.ne(3), 1);
        }
      }
      if (memory && t.ne(0) % n == 0) {
        return new TokenDimension(0, n, 1, t.ne(0) / n);
      }
    }
    return null;
  }

  /** Row, among all tokens or outputs, of an element. */
  long row(List<Long> index) {
    return index.get(dimension) / width + (streams > 1 ? index.get(3) * size : 0);
  }

  /** Number of rows there are. */
  long rows() {
    return size * streams;
  }
}
