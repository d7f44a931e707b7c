package org.modeltracer.testing;

import static org.modeltracer.testing.TinyModel.LAYERS;
import static org.modeltracer.testing.TinyModel.VOCABULARY;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/** Tiny models of architectures that differ in where things are and what they are added to. */
public final class TinyModels {
  private static final int WIDTH = 128;
  private static final int HIDDEN = 192;
  private static final int HEADS = 4;
  private static final int HEAD = WIDTH / HEADS;

  private static final Map<String, Supplier<TinyModel>> ALL = new TreeMap<>();

  static {
    ALL.put("bert", TinyModels::bert);
    ALL.put("bloom", TinyModels::bloom);
    ALL.put("falcon", TinyModels::falcon);
    ALL.put("gemma2", TinyModels::gemma2);
    ALL.put("gemma3", TinyModels::gemma3);
    ALL.put("gptneox", TinyModels::gptneox);
    ALL.put("llama", TinyModels::llama);
    ALL.put("mamba", TinyModels::mamba);
    ALL.put("mpt", TinyModels::mpt);
    ALL.put("olmo2", TinyModels::olmo2);
    ALL.put("phi3", TinyModels::phi3);
    ALL.put("t5", TinyModels::t5);
  }

  private TinyModels() {}

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
        .sizes(WIDTH, HIDDEN, HEADS, kvHeads)
        .table("token_embd.weight", WIDTH, VOCABULARY);
  }

  private static TinyModel separate(TinyModel m, String block, int kvHeads) {
    return m.weight(block + "attn_q.weight", WIDTH, WIDTH)
        .weight(block + "attn_k.weight", WIDTH, kvHeads * HEAD)
        .weight(block + "attn_v.weight", WIDTH, kvHeads * HEAD)
        .weight(block + "attn_output.weight", WIDTH, WIDTH);
  }

  private static TinyModel gated(TinyModel m, String block) {
    return m.weight(block + "ffn_gate.weight", WIDTH, HIDDEN)
        .weight(block + "ffn_up.weight", WIDTH, HIDDEN)
        .weight(block + "ffn_down.weight", HIDDEN, WIDTH);
  }

  private static TinyModel output(TinyModel m) {
    return m.norm("output_norm.weight", WIDTH).weight("output.weight", WIDTH, VOCABULARY);
  }

  private static TinyModel llama() {
    TinyModel m = start("llama", 2).real("attention.layer_norm_rms_epsilon", 1e-5f);
    m.number("rope.dimension_count", HEAD);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      separate(m.norm(block + "attn_norm.weight", WIDTH), block, 2);
      gated(m.norm(block + "ffn_norm.weight", WIDTH), block);
    }
    return output(m);
  }

  /** Norms come after the blocks, and the stream goes on from the sum. */
  private static TinyModel olmo2() {
    TinyModel m = start("olmo2", 2).real("attention.layer_norm_rms_epsilon", 1e-5f);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      separate(m, block, 2)
          .norm(block + "attn_q_norm.weight", WIDTH)
          .norm(block + "attn_k_norm.weight", 2 * HEAD)
          .norm(block + "post_attention_norm.weight", WIDTH);
      gated(m, block).norm(block + "post_ffw_norm.weight", WIDTH);
    }
    return output(m);
  }

  /** Attention and feed-forward side by side, on one norm; one key/value head. */
  private static TinyModel falcon() {
    TinyModel m = start("falcon", 1).real("attention.layer_norm_epsilon", 1e-5f);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      m.normAndBias(block + "attn_norm", WIDTH)
          .weight(block + "attn_qkv.weight", WIDTH, WIDTH + 2 * HEAD)
          .weight(block + "attn_output.weight", WIDTH, WIDTH)
          .weight(block + "ffn_up.weight", WIDTH, HIDDEN)
          .weight(block + "ffn_down.weight", HIDDEN, WIDTH);
    }
    return m.normAndBias("output_norm", WIDTH).weight("output.weight", WIDTH, VOCABULARY);
  }

  /** Attention and feed-forward side by side, on norms of their own. */
  private static TinyModel gptneox() {
    TinyModel m = start("gptneox", HEADS).real("attention.layer_norm_epsilon", 1e-5f);
    m.flag("use_parallel_residual", true).number("rope.dimension_count", HEAD);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      m.normAndBias(block + "attn_norm", WIDTH)
          .weightAndBias(block + "attn_qkv", WIDTH, 3 * WIDTH)
          .weightAndBias(block + "attn_output", WIDTH, WIDTH)
          .normAndBias(block + "ffn_norm", WIDTH)
          .weightAndBias(block + "ffn_up", WIDTH, HIDDEN)
          .weightAndBias(block + "ffn_down", HIDDEN, WIDTH);
    }
    return m.normAndBias("output_norm", WIDTH).weight("output.weight", WIDTH, VOCABULARY);
  }

  /** Distances in place of positions, three heads: slopes of a number that is no power of two. */
  private static TinyModel mpt() {
    TinyModel m =
        new TinyModel("mpt")
            .sizes(96, HIDDEN, 3, 3)
            .table("token_embd.weight", 96, VOCABULARY)
            .real("attention.layer_norm_epsilon", 1e-5f)
            .real("attention.max_alibi_bias", 8);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      m.norm(block + "attn_norm.weight", 96)
          .weight(block + "attn_qkv.weight", 96, 3 * 96)
          .weight(block + "attn_output.weight", 96, 96)
          .norm(block + "ffn_norm.weight", 96)
          .weight(block + "ffn_up.weight", 96, HIDDEN)
          .weight(block + "ffn_down.weight", HIDDEN, 96);
    }
    return m.norm("output_norm.weight", 96);
  }

  private static TinyModel bloom() {
    TinyModel m = start("bloom", HEADS).real("attention.layer_norm_epsilon", 1e-5f);
    m.normAndBias("token_embd_norm", WIDTH);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      m.normAndBias(block + "attn_norm", WIDTH)
          .weightAndBias(block + "attn_qkv", WIDTH, 3 * WIDTH)
          .weightAndBias(block + "attn_output", WIDTH, WIDTH)
          .normAndBias(block + "ffn_norm", WIDTH)
          .weightAndBias(block + "ffn_up", WIDTH, HIDDEN)
          .weightAndBias(block + "ffn_down", HIDDEN, WIDTH);
    }
    return m.normAndBias("output_norm", WIDTH).weight("output.weight", WIDTH, VOCABULARY);
  }

  /** Fused projections, gate and up in one. */
  private static TinyModel phi3() {
    TinyModel m = start("phi3", 2).real("attention.layer_norm_rms_epsilon", 1e-5f);
    m.number("rope.dimension_count", HEAD).number("rope.scaling.original_context_length", 512);
    m.number("attention.sliding_window", 0);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      m.norm(block + "attn_norm.weight", WIDTH)
          .weight(block + "attn_qkv.weight", WIDTH, WIDTH + 4 * HEAD)
          .weight(block + "attn_output.weight", WIDTH, WIDTH)
          .norm(block + "ffn_norm.weight", WIDTH)
          .weight(block + "ffn_up.weight", WIDTH, 2 * HIDDEN)
          .weight(block + "ffn_down.weight", HIDDEN, WIDTH);
    }
    return output(m);
  }

  /** Scores capped softly, and a window of 24 tokens in the first of two layers. */
  private static TinyModel gemma2() {
    return gemma(start("gemma2", 1).real("attn_logit_softcapping", 20), false);
  }

  /** Queries and keys normalized, and a window of 24 tokens in the first five of six layers. */
  private static TinyModel gemma3() {
    return gemma(start("gemma3", 1), true);
  }

  /** Norms before and after each block. */
  private static TinyModel gemma(TinyModel m, boolean normed) {
    m.real("attention.layer_norm_rms_epsilon", 1e-5f);
    m.number("attention.key_length", HEAD).number("attention.value_length", HEAD);
    m.number("attention.sliding_window", 24);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      separate(m.norm(block + "attn_norm.weight", WIDTH), block, 1)
          .norm(block + "post_attention_norm.weight", WIDTH);
      if (normed) {
        m.norm(block + "attn_q_norm.weight", HEAD).norm(block + "attn_k_norm.weight", HEAD);
      }
      gated(m.norm(block + "ffn_norm.weight", WIDTH), block)
          .norm(block + "post_ffw_norm.weight", WIDTH);
    }
    return m.norm("output_norm.weight", WIDTH);
  }

  /** No attention at all. */
  private static TinyModel mamba() {
    int inner = 2 * WIDTH;
    int state = 16;
    int rank = 8;
    TinyModel m =
        new TinyModel("mamba")
            .sizes(WIDTH, 0, 0, 0)
            .table("token_embd.weight", WIDTH, VOCABULARY)
            .real("attention.layer_norm_rms_epsilon", 1e-5f)
            .number("ssm.conv_kernel", 4)
            .number("ssm.inner_size", inner)
            .number("ssm.state_size", state)
            .number("ssm.time_step_rank", rank);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      m.norm(block + "attn_norm.weight", WIDTH)
          .weight(block + "ssm_in.weight", WIDTH, 2 * inner)
          .tensor(block + "ssm_conv1d.weight", 0, 0.3, 4, inner)
          .bias(block + "ssm_conv1d.bias", inner)
          .weight(block + "ssm_x.weight", inner, rank + 2 * state)
          .weightAndBias(block + "ssm_dt", rank, inner)
          .tensor(block + "ssm_a", -1, 0.2, state, inner)
          .norm(block + "ssm_d", inner)
          .weight(block + "ssm_out.weight", inner, WIDTH);
    }
    return output(m);
  }

  /** An encoder alone: tokens see those after them, and there is nothing to generate. */
  private static TinyModel bert() {
    TinyModel m = start("bert", HEADS).real("attention.layer_norm_epsilon", 1e-5f);
    m.flag("attention.causal", false).global("tokenizer.ggml.token_type_count", 2);
    m.table("position_embd.weight", WIDTH, 512).table("token_types.weight", WIDTH, 2);
    m.normAndBias("token_embd_norm", WIDTH);
    for (int l = 0; l < LAYERS; l++) {
      String block = "blk." + l + ".";
      m.weightAndBias(block + "attn_q", WIDTH, WIDTH)
          .weightAndBias(block + "attn_k", WIDTH, WIDTH)
          .weightAndBias(block + "attn_v", WIDTH, WIDTH)
          .weightAndBias(block + "attn_output", WIDTH, WIDTH)
          .normAndBias(block + "attn_output_norm", WIDTH)
          .weightAndBias(block + "ffn_up", WIDTH, HIDDEN)
          .weightAndBias(block + "ffn_down", HIDDEN, WIDTH)
          .normAndBias(block + "layer_output_norm", WIDTH);
    }
    return m;
  }

  /** An encoder, and a decoder that attends to itself and to the encoder. */
  private static TinyModel t5() {
    TinyModel m = start("t5", HEADS).real("attention.layer_norm_rms_epsilon", 1e-5f);
    m.number("attention.relative_buckets_count", 32).number("decoder_start_token_id", 0);
    m.norm("enc.output_norm.weight", WIDTH).norm("dec.output_norm.weight", WIDTH);
    for (int l = 0; l < LAYERS; l++) {
      t5block(m, "enc.blk." + l + ".");
      t5block(m, "dec.blk." + l + ".");
      String cross = "dec.blk." + l + ".cross_attn_";
      attention(m.norm(cross + "norm.weight", WIDTH), cross);
    }
    return m.weight("output.weight", WIDTH, VOCABULARY);
  }

  /** T5's encoder by itself, which embeds texts; b4916 cannot run it. */
  public static TinyModel t5encoder() {
    TinyModel m = start("t5encoder", HEADS).real("attention.layer_norm_rms_epsilon", 1e-5f);
    m.number("attention.relative_buckets_count", 32).norm("enc.output_norm.weight", WIDTH);
    for (int l = 0; l < LAYERS; l++) {
      t5block(m, "enc.blk." + l + ".");
    }
    return m;
  }

  private static void t5block(TinyModel m, String block) {
    attention(m.norm(block + "attn_norm.weight", WIDTH), block + "attn_");
    m.tensor(block + "attn_rel_b.weight", 0, 0.5, HEADS, 32);
    m.norm(block + "ffn_norm.weight", WIDTH)
        .weight(block + "ffn_up.weight", WIDTH, HIDDEN)
        .weight(block + "ffn_down.weight", HIDDEN, WIDTH);
  }

  private static TinyModel attention(TinyModel m, String prefix) {
    return m.weight(prefix + "q.weight", WIDTH, WIDTH)
        .weight(prefix + "k.weight", WIDTH, WIDTH)
        .weight(prefix + "v.weight", WIDTH, WIDTH)
        .weight(prefix + "o.weight", WIDTH, WIDTH);
  }
}
