package org.modeltracer.testing;

import static org.modeltracer.testing.TinyModel.LAYERS;
import static org.modeltracer.testing.TinyModel.VOCABULARY;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * Tiny models of the architectures whose attention sees selected keys, or selected blocks of them:
 * two layers of random weights.
 */
public final class SelectingModels {
  /** Keys, or blocks of compressed keys, that are selected. */
  public static final int TOP_K = 8;

  private static final int WIDTH = 64;
  private static final int HEADS = 2;
  private static final int ROTATED = 32;
  private static final int LATENT = 32;
  private static final int INDEX = 64;
  private static final int STREAMS = 4;

  private static final Map<String, Supplier<TinyModel>> ALL = new TreeMap<>();

  static {
    ALL.put("deepseek4", SelectingModels::deepseek4);
    ALL.put("dots3note", SelectingModels::dots3note);
    ALL.put("glm-dsa", SelectingModels::glm);
    ALL.put("hy_v4", SelectingModels::hunyuan);
    ALL.put("minimax-m3", SelectingModels::minimax);
    ALL.put("qwen4exp", SelectingModels::qwen);
  }

  private SelectingModels() {}

  /** Names of the architectures. */
  public static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  /** A model of an architecture. */
  public static TinyModel of(String architecture) {
    return ALL.get(architecture).get();
  }

  private static TinyModel start(String architecture, int kvHeads) {
    return new TinyModel(architecture)
        .sizes(WIDTH, WIDTH, HEADS, kvHeads)
        .real("attention.layer_norm_rms_epsilon", 1e-6f)
        .number("rope.dimension_count", ROTATED)
        .number("attention.indexer.head_count", 2)
        .number("attention.indexer.key_length", INDEX)
        .number("attention.indexer.top_k", TOP_K)
        .table("token_embd.weight", WIDTH, VOCABULARY)
        .weight("output.weight", WIDTH, VOCABULARY);
  }

  private static TinyModel experts(TinyModel m) {
    return m.number("expert_count", 2)
        .number("expert_used_count", 1)
        .number("expert_shared_count", 1)
        .number("expert_feed_forward_length", WIDTH);
  }

  private static void dense(TinyModel m, String block) {
    m.norm(block + "ffn_norm.weight", WIDTH)
        .weight(block + "ffn_gate.weight", WIDTH, WIDTH)
        .weight(block + "ffn_up.weight", WIDTH, WIDTH)
        .weight(block + "ffn_down.weight", WIDTH, WIDTH);
  }

  private static void mixture(TinyModel m, String block) {
    m.weight(block + "ffn_gate_inp.weight", WIDTH, 2);
    for (String part : List.of("gate", "up", "down")) {
      m.weight(block + "ffn_" + part + "_exps.weight", WIDTH, WIDTH, 2)
          .weight(block + "ffn_" + part + "_shexp.weight", WIDTH, WIDTH);
    }
  }

  private static TinyModel latent(TinyModel m) {
    return experts(m)
        .number("leading_dense_block_count", LAYERS)
        .number("expert_gating_func", 2)
        .number("attention.key_length", LATENT + ROTATED)
        .number("attention.value_length", LATENT)
        .number("attention.key_length_mla", LATENT + ROTATED)
        .number("attention.value_length_mla", LATENT)
        .number("attention.q_lora_rank", WIDTH)
        .number("attention.kv_lora_rank", LATENT)
        .norm("output_norm.weight", WIDTH);
  }

  private static void latentLayer(TinyModel m, String block) {
    m.norm(block + "attn_norm.weight", WIDTH)
        .weight(block + "attn_q_a.weight", WIDTH, WIDTH)
        .norm(block + "attn_q_a_norm.weight", WIDTH)
        .weight(block + "attn_q_b.weight", WIDTH, HEADS * (LATENT + ROTATED))
        .weight(block + "attn_kv_a_mqa.weight", WIDTH, LATENT + ROTATED)
        .norm(block + "attn_kv_a_norm.weight", LATENT)
        .weight(block + "attn_k_b.weight", LATENT, LATENT, HEADS)
        .weight(block + "attn_v_b.weight", LATENT, LATENT, HEADS)
        .weight(block + "attn_output.weight", HEADS * LATENT, WIDTH);
  }

  private static void indexer(TinyModel m, String block) {
    m.weight(block + "indexer.attn_k.weight", WIDTH, INDEX)
        .normAndBias(block + "indexer.k_norm", INDEX)
        .weight(block + "indexer.attn_q_b.weight", WIDTH, 2 * INDEX)
        .weight(block + "indexer.proj.weight", WIDTH, 2);
  }

  /** The second layer shares what the first has selected. */
  private static TinyModel glm() {
    TinyModel m = latent(start("glm-dsa", 1)).numbers("attention.indexer.types", 1, 0);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      latentLayer(m, block);
      dense(m, block);
    }
    indexer(m, "blk.0.");
    return m;
  }

  /** The first layer has a sliding window, and no indexer. */
  private static TinyModel dots3note() {
    TinyModel m =
        latent(start("dots3note", 1))
            .numbers("attention.indexer.types", 0, 1)
            .numbers("attention.sliding_window_pattern", 1, 0)
            .number("attention.sliding_window", 16)
            .number("attention.kv_lora_rank_swa", LATENT)
            .number("attention.key_length_swa", LATENT + ROTATED)
            .number("attention.value_length_swa", LATENT)
            .number("attention.key_length_mla_swa", LATENT + ROTATED)
            .number("attention.value_length_mla_swa", LATENT)
            .real("rope.freq_base_swa", 1e4f);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      latentLayer(m, block);
      m.norm(block + "attn_k_norm.weight", ROTATED)
          .weight(block + "attn_gate.weight", WIDTH, HEADS);
      dense(m, block);
    }
    indexer(m, "blk.1.");
    return m;
  }

  private static TinyModel streams(TinyModel m, int mixed, int scales) {
    for (int l = 0; l < LAYERS; l++) {
      for (String where : List.of("attn", "ffn")) {
        String hyper = "blk." + l + ".hc_" + where;
        m.weight(hyper + "_fn.weight", STREAMS * WIDTH, mixed)
            .bias(hyper + "_base.weight", mixed)
            .norm(hyper + "_scale.weight", scales);
      }
    }
    return m.number("hyper_connection.count", STREAMS)
        .real("hyper_connection.epsilon", 1e-6f)
        .weight("output_hc_fn.weight", STREAMS * WIDTH, STREAMS)
        .bias("output_hc_base.weight", STREAMS)
        .norm("output_hc_scale.weight", 1);
  }

  /** Several residual streams, and learned sinks. */
  private static TinyModel hunyuan() {
    TinyModel m =
        streams(latent(start("hy_v4", 1)), 2 * STREAMS, 2)
            .real("hyper_connection.magnitude", 1)
            .numbers("attention.indexer.types", 1, 0);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      latentLayer(m, block);
      m.bias(block + "attn_sinks.weight", HEADS)
          .weight(block + "attn_gate.weight", WIDTH, HEADS * LATENT);
      dense(m, block);
    }
    indexer(m, "blk.0.");
    return m;
  }

  /** Keys are compressed, four to one, and the best of these are selected; the last ones stay. */
  private static TinyModel deepseek4() {
    TinyModel m =
        streams(experts(start("deepseek4", 1)), (2 + STREAMS) * STREAMS, 3)
            .number("expert_gating_func", 4)
            .real("expert_weights_scale", 1)
            .flag("expert_weights_norm", true)
            .real("swiglu_clamp_exp", 10)
            .number("attention.key_length", INDEX)
            .number("attention.value_length", INDEX)
            .number("attention.q_lora_rank", WIDTH)
            .number("attention.sliding_window", 16)
            .number("attention.output_group_count", 2)
            .number("attention.output_lora_rank", 32)
            .real("attention.compress_rope_freq_base", 1e4f)
            .numbers("attention.compress_ratios", 4, 128)
            .number("hyper_connection.sinkhorn_iterations", 2)
            .number("hash_layer_count", 0)
            .norm("output_norm.weight", WIDTH);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      m.norm(block + "attn_norm.weight", WIDTH)
          .bias(block + "attn_sinks.weight", HEADS)
          .weight(block + "attn_q_a.weight", WIDTH, WIDTH)
          .norm(block + "attn_q_a_norm.weight", WIDTH)
          .weight(block + "attn_q_b.weight", WIDTH, HEADS * INDEX)
          .weight(block + "attn_kv.weight", WIDTH, INDEX)
          .norm(block + "attn_kv_a_norm.weight", INDEX)
          .weight(block + "attn_output_a.weight", HEADS * INDEX / 2, 64)
          .weight(block + "attn_output_b.weight", 64, WIDTH)
          .norm(block + "ffn_norm.weight", WIDTH)
          .bias(block + "exp_probs_b.bias", 2);
      mixture(m, block);
    }
    compressor(m, "blk.0.attn_compressor_", 2 * INDEX, 4);
    compressor(m, "blk.0.indexer_compressor_", 2 * INDEX, 4);
    compressor(m, "blk.1.attn_compressor_", INDEX, 128);
    return m.weight("blk.0.indexer.proj.weight", WIDTH, 2)
        .weight("blk.0.indexer.attn_q_b.weight", WIDTH, 2 * INDEX);
  }

  private static void compressor(TinyModel m, String name, int width, int ratio) {
    m.weight(name + "kv.weight", WIDTH, width)
        .weight(name + "gate.weight", WIDTH, width)
        .weight(name + "ape.weight", width, ratio)
        .norm(name + "norm.weight", INDEX);
  }

  private static TinyModel grouped(TinyModel m, String block, int queries, int width) {
    return m.weight(block + "attn_q.weight", WIDTH, queries)
        .weight(block + "attn_k.weight", WIDTH, width)
        .weight(block + "attn_v.weight", WIDTH, width)
        .norm(block + "attn_q_norm.weight", INDEX)
        .norm(block + "attn_k_norm.weight", INDEX)
        .weight(block + "attn_output.weight", HEADS * INDEX, WIDTH);
  }

  private static void blocks(TinyModel m, String block) {
    m.weight(block + "indexer.q_proj.weight", WIDTH, 2 * INDEX)
        .weight(block + "indexer.k_proj.weight", WIDTH, INDEX)
        .norm(block + "indexer.q_norm.weight", INDEX)
        .norm(block + "indexer.k_norm.weight", INDEX);
  }

  /** The second layer selects blocks of keys for each group of heads. */
  private static TinyModel minimax() {
    TinyModel m =
        experts(start("minimax-m3", HEADS))
            .number("expert_gating_func", 2)
            .number("leading_dense_block_count", 1)
            .number("attention.key_length", INDEX)
            .number("attention.value_length", INDEX)
            .number("attention.indexer.block_size", 8)
            .number("attention.indexer.local_blocks", 1)
            .norm("output_norm.weight", WIDTH);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      grouped(m.norm(block + "attn_norm.weight", WIDTH), block, HEADS * INDEX, HEADS * INDEX);
    }
    dense(m, "blk.0.");
    blocks(m, "blk.1.");
    mixture(m.norm("blk.1.ffn_norm.weight", WIDTH).bias("blk.1.exp_probs_b.bias", 2), "blk.1.");
    return m;
  }

  /** Every second layer attends; it selects pools of keys. */
  private static TinyModel qwen() {
    int mixed = STREAMS * WIDTH;
    TinyModel m =
        experts(start("qwen4exp", 1))
            .number("expert_shared_feed_forward_length", WIDTH)
            .numbers("rope.dimension_sections", 8, 4, 4, 0)
            .number("attention.key_length", INDEX)
            .number("attention.value_length", INDEX)
            .number("full_attention_interval", 2)
            .number("ssm.conv_kernel", 4)
            .number("ssm.inner_size", 2 * 32)
            .number("ssm.state_size", 32)
            .number("ssm.time_step_rank", 2)
            .number("ssm.group_count", 2)
            .number("hyper_connection.count", STREAMS)
            .number("hyper_connection.low_rank", 16)
            .numbers("attention.compress_ratios", 4, 4)
            .norm("output_hc_norm.weight", mixed)
            .weight("output_hc_down.weight", mixed, 16)
            .weight("output_hc_up.weight", 16, mixed);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      for (String where : List.of("attn", "ffn")) {
        String hyper = block + "hc_" + where;
        m.norm(hyper + "_norm.weight", mixed)
            .weight(hyper + "_down.weight", mixed, 16)
            .weight(hyper + "_up.weight", 16, mixed)
            .weight(hyper + "_inject.weight", mixed, STREAMS);
      }
      mixture(m, block);
      m.weight(block + "ffn_gate_inp_shexp.weight", WIDTH);
    }
    blocks(grouped(m, "blk.1.", 2 * HEADS * INDEX, INDEX), "blk.1.");
    String block = "blk.0.";
    return m.weight(block + "attn_qkv.weight", WIDTH, 3 * 64)
        .weight(block + "attn_gate.weight", WIDTH, 64)
        .weight(block + "ssm_conv1d.weight", 4, 3 * 64)
        .bias(block + "ssm_dt.bias", 2)
        .tensor(block + "ssm_a", -1, 0.1, 2)
        .weight(block + "ssm_beta.weight", WIDTH, 2)
        .weight(block + "ssm_alpha.weight", WIDTH, 2)
        .norm(block + "ssm_norm.weight", 32)
        .weight(block + "ssm_out.weight", 64, WIDTH);
  }
}
