package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import org.modeltracer.testing.Vulkan;
import org.modeltracer.trace.TracerConfig;
import tools.jackson.databind.JsonNode;

/** Numeric faults of the shared set on a Vulkan device: the same weights are named. */
class VulkanFaultsTest {
  @TempDir private static Path folder;
  private static LlamaRuntime runtime;

  @BeforeAll
  static void start() {
    runtime = Vulkan.runtime();
  }

  /** A product of several columns makes 65,504 of a NaN among its inputs: a warning is left. */
  @Test
  void whatAProductHidesIsStillNoticed() {
    Path file = BrokenModel.fault("f06_q8_nan_scale_attn_v_l0", folder);
    var options = Diagnosed.options(CacheType.F32, FlashAttention.OFF);
    var where = ModelOptions.defaults();
    try (var run = new Diagnosed(runtime, file, TracerConfig.lightweight(), options, where)) {
      run.prompt(Prompts.ids("short"));
      assertThat(run.tracer.anomalies()).extracting(Anomaly::tensor).contains("kqv_out-0");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          f01_nan_ffn_down_l2          | short  | F32 | OFF | BAD_WEIGHT
          f01_nan_ffn_down_l2          | short  | F16 | ON  | BAD_WEIGHT
          f03_overflow_attn_norm_l3    | short  | F32 | OFF | BAD_WEIGHT
          f04_nan_token_embd_row       | text64 | F16 | OFF | BAD_WEIGHT
          """)
  void isFound(String id, String prompt, CacheType cache, FlashAttention flash, Cause expected) {
    Path file = BrokenModel.fault(id, folder);
    for (boolean steps : new boolean[] {false, true}) {
      try (var run =
          new Diagnosed(
              runtime,
              file,
              TracerConfig.lightweight(),
              Diagnosed.options(cache, flash),
              ModelOptions.defaults())) {
        int[] ids = Prompts.ids(prompt);
        RootCause cause = (steps ? run.steps(ids) : run.prompt(ids)).cause();
        JsonNode manifest = BrokenModel.manifest(id).get("expected");
        assertThat(cause.layer()).isEqualTo(manifest.get("layer").asInt());
        assertThat(cause.weight()).isEqualTo(manifest.get("root_weight").asString());
        assertThat(cause.cause()).isEqualTo(expected);
      }
    }
  }
}
