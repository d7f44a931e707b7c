package org.modeltracer.diagnose;

import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.model.Site;
import org.modeltracer.weights.Weights;

/**
 * Weights that are all zero behind a finite anomaly: nothing is bad, but nothing comes through
 * either.
 */
final class ZeroWeights {
  private static final List<String> QUERIES_AND_KEYS =
      List.of("attn_q", "attn_k", "attn_qkv", "attn_q_norm", "attn_k_norm", "attn_norm");
  private static final List<String> VALUES = List.of("attn_v", "attn_qkv", "attn_norm");
  private static final List<String> OUTPUT = List.of("output", "output_norm", "token_embd");

  private final Weights weights;

  ZeroWeights(Weights weights) {
    this.weights = weights;
  }

  /** The first weight, of those that could explain an anomaly, that is all zero. */
  Optional<TensorInfo> behind(Anomaly anomaly) {
    Integer layer = anomaly.layer();
    String prefix = layer == null || layer < 0 ? "" : "blk." + layer + ".";
    return suspects(anomaly).stream()
        .flatMap(role -> weights.tensor(prefix + role + ".weight").stream())
        .filter(t -> weights.stats(t).allZero())
        .findFirst();
  }

  private static List<String> suspects(Anomaly anomaly) {
    return switch (anomaly.kind()) {
      case UNIFORM_ATTENTION -> QUERIES_AND_KEYS;
      case DEAD_HEAD -> VALUES;
      case LOGITS -> OUTPUT;
      case VANISHING -> suspects(anomaly.site());
      default -> List.of();
    };
  }

  private static List<String> suspects(@Nullable Site site) {
    return switch (site) {
      case EMBEDDING -> List.of("token_embd");
      case ATTN_NORM -> List.of("attn_norm");
      case QUERY, KEY -> QUERIES_AND_KEYS;
      case VALUE, CONTEXT -> VALUES;
      case ATTN_OUT -> List.of("attn_output", "attn_v", "attn_qkv", "attn_norm");
      case FFN_NORM -> List.of("ffn_norm");
      case FFN_GATE, FFN_UP, FFN_HIDDEN -> List.of("ffn_gate", "ffn_up", "ffn_norm");
      case FFN_OUT ->
          List.of("ffn_down", "ffn_gate", "ffn_up", "ffn_norm", "ffn_down_exps", "ffn_up_exps");
      case FINAL_NORM -> List.of("output_norm");
      case null, default -> List.of();
    };
  }
}
