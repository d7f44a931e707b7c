package org.modeltracer.llama;

import java.util.List;

/**
 * Parameter structs of the llama.cpp generations this binding has run with.
 *
 * <p>Field order and defaults as in each release's public header. A value after {@code =} is the
 * library's default and must be found there at run time.
 */
final class KnownLayouts {
  private KnownLayouts() {}

  static final List<CStruct> MODEL =
      List.of(
          CStruct.parse(
              "b4916",
              """
              ptr devices=0
              i32 n_gpu_layers=0
              i32 split_mode=1
              i32 main_gpu=0
              ptr tensor_split=0
              ptr progress_callback=0
              ptr progress_callback_user_data=0
              ptr kv_overrides=0
              bool vocab_only=0
              bool use_mmap=1
              bool use_mlock=0
              bool check_tensors=0
              """),
          CStruct.parse(
              "v0.5.0",
              """
              ptr devices=0
              ptr tensor_buft_overrides=0
              i32 n_gpu_layers=-1
              i32 split_mode=1
              i32 load_mode=-1
              i32 lazy_mode=1
              i32 main_gpu=0
              ptr tensor_split=0
              ptr progress_callback=0
              ptr progress_callback_user_data=0
              ptr kv_overrides=0
              bool vocab_only=0
              bool check_tensors=0
              bool use_extra_bufts=1
              bool no_host=0
              bool no_alloc=0
              bool load_mtp=0
              """));

  static final List<CStruct> CONTEXT =
      List.of(
          CStruct.parse(
              "b4916",
              """
              u32 n_ctx=512
              u32 n_batch=2048
              u32 n_ubatch=512
              u32 n_seq_max=1
              i32 n_threads=4
              i32 n_threads_batch=4
              i32 rope_scaling_type=-1
              i32 pooling_type=-1
              i32 attention_type=-1
              f32 rope_freq_base=0.0
              f32 rope_freq_scale=0.0
              f32 yarn_ext_factor=-1.0
              f32 yarn_attn_factor=1.0
              f32 yarn_beta_fast=32.0
              f32 yarn_beta_slow=1.0
              u32 yarn_orig_ctx=0
              f32 defrag_thold=-1.0
              ptr cb_eval=0
              ptr cb_eval_user_data=0
              i32 type_k=1
              i32 type_v=1
              bool logits_all=0
              bool embeddings=0
              bool offload_kqv=1
              bool flash_attn=0
              bool no_perf=1
              ptr abort_callback=0
              ptr abort_callback_data=0
              """),
          CStruct.parse(
              "v0.5.0",
              """
              u32 n_ctx=512
              u32 n_batch=2048
              u32 n_ubatch=512
              u32 n_seq_max=1
              u32 n_rs_seq=0
              u32 n_outputs_max=0
              u32 n_outputs_max_per_seq=1
              i32 n_threads=4
              i32 n_threads_batch=4
              i32 ctx_type=0
              i32 rope_scaling_type=-1
              i32 pooling_type=-1
              i32 attention_type=-1
              i32 flash_attn_type=-1
              f32 rope_freq_base=0.0
              f32 rope_freq_scale=0.0
              f32 yarn_ext_factor=-1.0
              f32 yarn_attn_factor=-1.0
              f32 yarn_beta_fast=-1.0
              f32 yarn_beta_slow=-1.0
              u32 yarn_orig_ctx=0
              f32 defrag_thold=-1.0
              ptr cb_eval=0
              ptr cb_eval_user_data=0
              i32 type_k=1
              i32 type_v=1
              ptr abort_callback=0
              ptr abort_callback_data=0
              bool embeddings=0
              bool offload_kqv=1
              bool no_perf=1
              bool op_offload=1
              bool swa_full=1
              bool kv_unified=0
              ptr samplers=0
              ptr n_samplers=0
              ptr ctx_other=0
              """));
}
