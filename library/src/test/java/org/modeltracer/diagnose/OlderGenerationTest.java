package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.EmbeddedRuntime;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.trace.TracerConfig;

/** Root causes under a llama.cpp of 2025, which names less and writes its cache by copies. */
class OlderGenerationTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          f01_nan_ffn_down_l2          | F16 | OFF | false | MUL_MAT  |  2 |  0 | blk.2.ffn_down.weight  | BAD_WEIGHT
          f03_overflow_attn_norm_l3    | F32 | OFF | false | MUL_MAT  |  3 |  0 | blk.3.attn_norm.weight | BAD_WEIGHT
          f03_overflow_attn_norm_l3    | F16 | ON  | false | CPY      |  3 |  0 | blk.3.attn_norm.weight | F16_OVERFLOW
          f04_nan_token_embd_row       | F16 | ON  | true  | GET_ROWS | -1 | 23 | token_embd.weight      | BAD_WEIGHT
          f04_nan_token_embd_row       | F32 | OFF | false | GET_ROWS | -1 | 23 | token_embd.weight      | BAD_WEIGHT
          f06_q8_nan_scale_attn_v_l0   | F16 | OFF | false | MUL_MAT  |  0 |  0 | blk.0.attn_v.weight    | BAD_WEIGHT
          f14_k_overflows_f16_cache_l2 | F16 | OFF | false | CPY      |  2 |  0 | blk.2.attn_k.weight    | F16_OVERFLOW
          f14_k_overflows_f16_cache_l2 | F16 | ON  | true  | CPY      |  2 |  0 | blk.2.attn_k.weight    | F16_OVERFLOW
          """)
  void findsTheSame(
      String id,
      CacheType cache,
      FlashAttention flash,
      boolean steps,
      String op,
      int layer,
      int position,
      String weight,
      Cause expected) {
    EmbeddedRuntime.of("b4916")
        .ifPresent(
            runtime -> {
              Path file = BrokenModel.fault(id, folder);
              TracerConfig config = TracerConfig.lightweight();
              var options = Diagnosed.options(cache, flash);
              try (var run = new Diagnosed(runtime, file, config, options)) {
                int[] ids = Prompts.ids("text64");
                RootCause cause = (steps ? run.steps(ids) : run.prompt(ids)).cause();
                assertThat(List.of(cause.op(), cause.layer(), cause.position(), cause.weight()))
                    .isEqualTo(List.of(op, layer, position, weight));
                assertThat(cause.cause()).isEqualTo(expected);
              }
            });
  }
}
