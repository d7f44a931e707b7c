package org.modeltracer.diagnose;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.model.TensorState;
import org.modeltracer.model.TensorStats;

/**
 * The first bad node of a pass and what was known of its inputs when it took them.
 *
 * @param node the node
 * @param stats its values; of a write into memory, those written
 * @param index of the first bad value, fastest dimension first
 * @param position token position of that value, null when unknown
 * @param inputs what it was computed from
 * @param ids row or expert numbers among the inputs, in storage order; empty when it takes none
 * @param id the number that the first bad value belongs to, -1 when there is none
 * @param tokens tokens of the graph at hand
 * @param maskedRow whether the attention mask lets the first bad row see no key at all
 * @param blockSum largest magnitude of a sum over 32 neighbouring activations, where the weight's
 *     type makes the backend store such sums in F16; else 0
 */
record BadNode(
    GraphNode node,
    TensorStats stats,
    List<Long> index,
    @Nullable Integer position,
    List<Input> inputs,
    long[] ids,
    long id,
    int tokens,
    boolean maskedRow,
    double blockSum) {

  /**
   * An input at the moment it was consumed.
   *
   * @param source the tensor
   * @param state what its values were; null for a weight, of which the file must tell
   * @param absMax largest finite magnitude among its values, 0 when they are not known
   * @param cell first bad cell, when the input is a KV cache that has one
   */
  record Input(
      GraphNode source, @Nullable TensorState state, double absMax, @Nullable BadCell cell) {
    boolean bad() {
      return state != null && state.bad();
    }
  }

  /**
   * A cell of a KV cache with a bad value.
   *
   * @param cache name of the cache tensor
   * @param cell its number
   * @param position of the token in it, null when no sequence uses the cell
   * @param forward index of the pass that wrote it, null when no sequence uses the cell
   */
  record BadCell(String cache, int cell, @Nullable Integer position, @Nullable Integer forward) {}

  /** How often an expert was chosen among the inputs. */
  long chosen(long expert) {
    long n = 0;
    for (long i : ids) {
      n += i == expert ? 1 : 0;
    }
    return n;
  }
}
