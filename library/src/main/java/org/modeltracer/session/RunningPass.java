package org.modeltracer.session;

import org.jspecify.annotations.Nullable;
import org.modeltracer.graph.GraphNode;
import org.modeltracer.graph.TokenAxis;
import org.modeltracer.llama.Tensor;

/** What is known of a pass while it runs, beyond the tensors of its graph. */
public interface RunningPass {
  /**
   * What a cell of a KV cache holds.
   *
   * @param position of its token
   * @param forward index of the pass that wrote it
   */
  record Cell(int position, int forward) {}

  /** How many graphs have begun so far, this one among them. */
  long graph();

  /** What is added to the layer number in a node's name: not 0 in an encoder beside a decoder. */
  int firstLayer();

  /** Where a node counts tokens; null where nothing shows it. */
  @Nullable TokenAxis axis(GraphNode node);

  /** Whether a node has values at all. */
  boolean computes(Tensor node);

  /** Number of tokens in the graph at hand. */
  int tokensOfGraph();

  /**
   * Token position behind a row, -1 when it is not known.
   *
   * @param ofOutputs whether rows are counted among the tokens whose logits are wanted
   */
  int position(long row, boolean ofOutputs);

  /** What a cell of the cache of a layer holds, null when it holds no token. */
  @Nullable Cell cell(int layer, int cell);
}
