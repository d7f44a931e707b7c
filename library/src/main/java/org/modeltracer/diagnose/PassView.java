package org.modeltracer.diagnose;

import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Tensor;
import org.modeltracer.session.Replay;

/** What is known of the graph at hand beyond its tensors. */
interface PassView {
  /** Whether a node has values at all. */
  boolean computes(Tensor node);

  /** What is added to the layer number in a node's name: not 0 in an encoder beside a decoder. */
  int firstLayer();

  /** Number of tokens in the graph at hand. */
  int rows();

  /** Number of tokens in it whose logits are wanted. */
  int outputs();

  /** Token position behind row {@code row} of {@code rows}: all tokens or the outputs'. */
  int position(int row, long rows);

  /** What a cell of the cache of a layer holds, null when it holds no token. */
  Replay.@Nullable Cell cell(int layer, int cell);

  /** The view of a replay. */
  static PassView of(Replay replay) {
    return new PassView() {
      @Override
      public boolean computes(Tensor node) {
        return replay.computes(node);
      }

      @Override
      public int firstLayer() {
        return replay.firstLayer();
      }

      @Override
      public int rows() {
        return replay.rows();
      }

      @Override
      public int outputs() {
        return replay.outputs();
      }

      @Override
      public int position(int row, long rows) {
        return replay.position(row, rows);
      }

      @Override
      public Replay.@Nullable Cell cell(int layer, int cell) {
        return replay.cell(layer, cell);
      }
    };
  }
}
