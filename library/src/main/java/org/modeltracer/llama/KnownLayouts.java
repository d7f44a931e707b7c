package org.modeltracer.llama;

import java.util.ArrayList;
import java.util.List;
import java.util.StringTokenizer;
import java.util.stream.Collectors;

/**
 * Parameter structs of the llama.cpp releases this binding has run with.
 *
 * <p>One list of fields for all releases, in the order of the public header: {@code type
 * name=default}, and the releases it belongs to where that is not all of them. A field that moved,
 * or whose default changed, has a line for each. A default must be found at run time.
 */
final class KnownLayouts {
  private KnownLayouts() {}

  /** Releases the binding was run with, oldest first. */
  static final List<String> RELEASES =
      List.of(
          "b4916", "b4980", "b5590", "b5640", "b6122", "b6301", "b6431", "b6673", "b7347", "b7698",
          "b7836", "b8121", "b8179", "b8352", "b8390", "b9842", "b10068", "b10361", "v0.4.0",
          "v0.5.0");

  /** Layouts of {@code llama_model_params}, oldest first. */
  static final List<CStruct> MODEL =
      history(
          """
          ptr devices=0
          ptr tensor_buft_overrides=0         from b5590
          i32 n_gpu_layers=0                  until b6301
          i32 n_gpu_layers=999                from b6431 until b7347
          i32 n_gpu_layers=-1                 from b7698
          i32 split_mode=1
          i32 load_mode=1                     from b10361 until b10361
          i32 load_mode=-1                    from v0.4.0
          i32 lazy_mode=1                     from v0.4.0
          i32 main_gpu=0
          ptr tensor_split=0
          ptr progress_callback=0
          ptr progress_callback_user_data=0
          ptr kv_overrides=0
          bool vocab_only=0
          bool use_mmap=1                     until b10068
          bool use_direct_io=1                from b7698 until b7836
          bool use_direct_io=0                from b8121 until b10068
          bool use_mlock=0                    until b10068
          bool check_tensors=0
          bool use_extra_bufts=1              from b6122
          bool no_host=0                      from b7347
          bool no_alloc=0                     from b7698
          bool load_mtp=0                     from b10361
          """);

  /** Layouts of {@code llama_context_params}, oldest first. */
  static final List<CStruct> CONTEXT =
      history(
          """
          u32 n_ctx=512
          u32 n_batch=2048
          u32 n_ubatch=512
          u32 n_seq_max=1
          u32 n_rs_seq=0                      from b9842
          u32 n_outputs_max=0                 from b9842
          u32 n_outputs_max_per_seq=1         from b10361
          i32 n_threads=4
          i32 n_threads_batch=4
          i32 ctx_type=0                      from b9842
          i32 rope_scaling_type=-1
          i32 pooling_type=-1
          i32 attention_type=-1
          i32 flash_attn_type=-1              from b6431
          f32 rope_freq_base=0.0
          f32 rope_freq_scale=0.0
          f32 yarn_ext_factor=-1.0
          f32 yarn_attn_factor=1.0            until b6431
          f32 yarn_beta_fast=32.0             until b6431
          f32 yarn_beta_slow=1.0              until b6431
          f32 yarn_attn_factor=-1.0           from b6673
          f32 yarn_beta_fast=-1.0             from b6673
          f32 yarn_beta_slow=-1.0             from b6673
          u32 yarn_orig_ctx=0
          f32 defrag_thold=-1.0
          ptr cb_eval=0
          ptr cb_eval_user_data=0
          i32 type_k=1
          i32 type_v=1
          bool logits_all=0                   until b4980
          ptr abort_callback=0                from b5590
          ptr abort_callback_data=0           from b5590
          bool embeddings=0
          bool offload_kqv=1
          bool flash_attn=0                   until b6301
          bool no_perf=1
          ptr abort_callback=0                until b4980
          ptr abort_callback_data=0           until b4980
          bool op_offload=1                   from b5590
          bool swa_full=1                     from b5590
          bool kv_unified=0                   from b6122
          ptr samplers=0                      from b7698
          ptr n_samplers=0                    from b7698
          ptr ctx_other=0                     from b9842
          """);

  /** A field and the releases that have it, as indices into {@link #RELEASES}. */
  private record Line(String field, int from, int until) {
    static Line parse(String text) {
      var words = new StringTokenizer(text);
      String field = words.nextToken() + " " + words.nextToken();
      int from = 0;
      int until = RELEASES.size() - 1;
      while (words.hasMoreTokens()) {
        boolean begins = words.nextToken().equals("from");
        int release = RELEASES.indexOf(words.nextToken());
        from = begins ? release : from;
        until = begins ? until : release;
      }
      return new Line(field, from, until);
    }
  }

  /** A layout for every release at which something changed. */
  private static List<CStruct> history(String fields) {
    List<Line> lines = fields.lines().map(Line::parse).toList();
    var layouts = new ArrayList<CStruct>();
    for (int i = 0; i < RELEASES.size(); i++) {
      int now = i;
      String present =
          lines.stream()
              .filter(line -> line.from <= now && now <= line.until)
              .map(Line::field)
              .collect(Collectors.joining("\n"));
      CStruct layout = CStruct.parse(RELEASES.get(i), present);
      if (!layouts.isEmpty() && layouts.getLast().fields().equals(layout.fields())) {
        layout = layout.since(layouts.removeLast().since());
      }
      layouts.add(layout);
    }
    return List.copyOf(layouts);
  }
}
