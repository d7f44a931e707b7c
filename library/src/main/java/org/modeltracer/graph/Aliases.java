package org.modeltracer.graph;

import java.util.Map;
import java.util.Set;
import org.modeltracer.model.Site;

/**
 * What architectures call things, where structure alone does not tell.
 *
 * <p>Names of weights are the same in all of them, whatever the graph looks like.
 */
final class Aliases {
  private Aliases() {}

  /** Weights whose other factor is the normalized input of attention, or of what replaces it. */
  static final Set<String> QUERY_WEIGHTS =
      Set.of(
          "attn_q",
          "attn_qkv",
          "attn_q_a",
          "attn_kv_a_mqa",
          "ssm_in",
          "ssm_x",
          "attn_gate",
          "shortconv.in_proj",
          "time_mix_receptance");

  /** The last factor of attention, or of what stands in its place. */
  static final Set<String> OUTPUT_WEIGHTS =
      Set.of("attn_output", "attn_output_b", "ssm_out", "shortconv.out_proj", "time_mix_output");

  /** Nodes that are the residual stream after a layer, even where several streams are braided. */
  static final Set<String> LAYER_OUTPUTS = Set.of("l_out", "l_last");

  /** Places that are the product of a weight. */
  static final Map<String, Site> BY_FIRST_FACTOR =
      Map.of(
          "ffn_gate", Site.FFN_GATE,
          "ffn_gate_exps", Site.FFN_GATE,
          "ffn_up", Site.FFN_UP,
          "ffn_up_exps", Site.FFN_UP,
          "ffn_gate_inp", Site.ROUTER);
}
