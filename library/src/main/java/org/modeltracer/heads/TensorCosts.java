package org.modeltracer.heads;

import java.util.ArrayList;
import java.util.List;
import org.modeltracer.attention.report.HeadCosts;
import org.modeltracer.gguf.TensorInfo;
import org.modeltracer.model.HeadId;

/**
 * What heads cost, from the sizes of the Q, K, V and O tensors in the file.
 *
 * <p>Each of these tensors, a fused one too, divides evenly among the KV groups. With latent
 * attention (DeepSeek-V2) every query head has projections of its own and is a group by itself; the
 * latent projections that all share are not saved by removing one.
 */
final class TensorCosts implements HeadCosts {
  private static final List<String> SHARED_OUT =
      List.of("attn_q", "attn_k", "attn_v", "attn_qkv", "attn_gate");
  private static final List<String> LATENT =
      List.of("attn_q", "attn_q_b", "attn_kv_b", "attn_k_b", "attn_v_b");

  private final HeadLayout layout;

  TensorCosts(HeadLayout layout) {
    this.layout = layout;
  }

  /** Whether the file names an output matrix of attention in any layer. */
  boolean known() {
    for (int layer = 0; layer < layout.layers(); layer++) {
      if (layout.output(layer).isPresent()) {
        return true;
      }
    }
    return false;
  }

  @Override
  public int groups(int layer) {
    return layout.latent(layer) ? layout.heads(layer) : layout.kvHeads(layer);
  }

  @Override
  public int group(HeadId head) {
    return layout.latent(head.layer()) ? head.head() : layout.kvHead(head.layer(), head.head());
  }

  @Override
  public long bytes(int layer, int group) {
    return tensors(layer).stream().mapToLong(TensorInfo::bytes).sum() / Math.max(1, groups(layer));
  }

  @Override
  public double flops(int layer, int group) {
    // A multiplication and an addition per weight.
    return 2.0
        * tensors(layer).stream().mapToLong(TensorInfo::elements).sum()
        / Math.max(1, groups(layer));
  }

  private List<TensorInfo> tensors(int layer) {
    var tensors = new ArrayList<TensorInfo>();
    for (String role : layout.latent(layer) ? LATENT : SHARED_OUT) {
      layout.tensor(layer, role).ifPresent(tensors::add);
    }
    layout.output(layer).ifPresent(tensors::add);
    return tensors;
  }
}
