package org.modeltracer.attention;

import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.HeadId;
import org.modeltracer.model.ModelShape;

/**
 * All that was collected of a model's attention, at one moment.
 *
 * <p>Immutable: the collector goes on with copies of its own. Arrays inside are shared with it but
 * written by neither again; callers only read them.
 *
 * <p>What describes one prompt is about the example: the only prompt, or else the one whose number
 * hashes lowest, so that merging keeps it.
 *
 * @param shape sizes of the model
 * @param prompts number of prompts
 * @param heads heads that showed a row, by layer and head
 * @param rows sampled queries with the row of every head, {@code [query + 1]}, NaN where a key is
 *     hidden
 * @param outputs sampled positions with the output of every head, {@code [value width]}
 * @param copies how far back equal tokens lie
 * @param rollout means over all prompts
 * @param residual the residual stream by layer, where norms were handed in
 * @param example the example prompt, null before the first
 * @param matrices rows of the example prompt, null unless asked for
 * @param twoWay heads of layers without a causal mask
 * @param leftOut layers with rows that were left out because they are not a decoder's causal
 *     attention, and the query of the first of them
 */
public record CollectedAttention(
    ModelShape shape,
    long prompts,
    List<CollectedHead> heads,
    List<SampledQuery> rows,
    List<SampledQuery> outputs,
    CopyDistances copies,
    RolloutMeans rollout,
    Map<Integer, LayerFlow> residual,
    @Nullable CollectedPrompt example,
    @Nullable RetainedAttention matrices,
    NavigableMap<HeadId, TwoWayMeans> twoWay,
    NavigableMap<Integer, Integer> leftOut) {
  /** Rows of all heads of each layer together. */
  public NavigableMap<Integer, RowTotals> layers() {
    var layers = new TreeMap<Integer, RowTotals>();
    for (CollectedHead head : heads) {
      layers.computeIfAbsent(head.id().layer(), l -> new RowTotals()).merge(head.rows());
    }
    return layers;
  }

  /** Rows of all heads together. */
  public RowTotals all() {
    var all = new RowTotals();
    heads.forEach(head -> all.merge(head.rows()));
    return all;
  }
}
