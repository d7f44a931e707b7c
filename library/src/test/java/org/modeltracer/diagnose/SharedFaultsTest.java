package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Faults;
import org.modeltracer.testing.Sample;
import org.modeltracer.trace.TracerConfig;
import tools.jackson.databind.JsonNode;

/**
 * The numeric faults of the shared set: each prompt that triggers them, both cache types, flash
 * attention off and on, as a prompt and token by token.
 */
class SharedFaultsTest {
  private static final List<String> PROMPTS = List.of("short", "text64", "repeat21x3");
  private static final List<String> FAULTS =
      List.of(
          "f01_nan_ffn_down_l2",
          "f03_overflow_attn_norm_l3",
          "f04_nan_token_embd_row",
          "f06_q8_nan_scale_attn_v_l0",
          "f07_zero_q_l1",
          "f13_nan_unused_embd_row",
          "f14_k_overflows_f16_cache_l2");

  @TempDir static Path folder;
  private static LlamaRuntime runtime;

  @BeforeAll
  static void load() {
    runtime = LlamaRuntime.load();
    FAULTS.forEach(id -> BrokenModel.fault(id, folder));
  }

  static List<Arguments> runs() {
    List<Arguments> runs = new ArrayList<>();
    for (String fault : FAULTS) {
      for (CacheType cache : List.of(CacheType.F32, CacheType.F16)) {
        for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
          for (String prompt : PROMPTS) {
            runs.add(Arguments.of(fault, cache, flash, prompt, false));
            // The one prompt that has the bad token; a single token shows all other faults at once.
            if (prompt.equals(fault.startsWith("f04") ? "text64" : "short")) {
              runs.add(Arguments.of(fault, cache, flash, prompt, true));
            }
          }
        }
      }
    }
    return Sample.of(runs, 25);
  }

  @ParameterizedTest(name = "{0} {3}, cache {1}, flash {2}, token by token {4}")
  @MethodSource("runs")
  void isFound(String id, CacheType cache, FlashAttention flash, String prompt, boolean steps) {
    Path file = folder.resolve(id + ".gguf");
    TracerConfig config = id.startsWith("f07") ? TracerConfig.full() : TracerConfig.lightweight();
    try (var run = new Diagnosed(runtime, file, config, Diagnosed.options(cache, flash))) {
      if (steps) {
        run.steps(Prompts.ids(prompt));
      } else {
        run.prompt(Prompts.ids(prompt));
      }
      check(run, Expectation.of(id, cache, flash, prompt));
    }
  }

  private static void check(Diagnosed run, Expectation expected) {
    JsonNode manifest = BrokenModel.manifest(expected.id()).get("expected");
    if (expected.degenerate()) {
      assertThat(run.critical()).isEmpty();
      assertThat(run.tracer.anomalies())
          .filteredOn(a -> a.kind() == AnomalyKind.UNIFORM_ATTENTION)
          .hasSize(4)
          .allSatisfy(
              a -> {
                assertThat(a.layer()).isEqualTo(manifest.get("layer").asInt());
                RootCause cause = a.rootCause();
                assertThat(cause).isNotNull();
                assertThat(cause.cause()).isEqualTo(Cause.BAD_WEIGHT);
                assertThat(cause.weight()).isEqualTo(manifest.get("root_weight").asString());
              });
      return;
    }
    if (expected.node() == null) {
      assertThat(run.critical()).isEmpty();
      assertThat(run.causes()).isEmpty();
      return;
    }
    RootCause cause = run.cause();
    assertThat(cause.node()).isEqualTo(expected.node());
    assertThat(cause.op()).isEqualTo(expected.op());
    assertThat(cause.layer()).isEqualTo(manifest.get("layer").asInt());
    assertThat(cause.weight()).isEqualTo(manifest.get("root_weight").asString());
    assertThat(cause.cause()).isEqualTo(expected.cause());
    assertThat(cause.position()).isEqualTo(manifest.path("position").asInt(0));
    assertThat(cause.weightIndex()).isEqualTo(expected.index());
    assertThat(cause.weightBadCount()).isEqualTo(expected.count());
    assertThat(cause.inputs()).isNotEmpty();
    assertThat(cause.message()).doesNotContain("\n");
  }

  /** What the manifest expects of a run; classes and indices it does not name are added here. */
  private record Expectation(
      String id,
      boolean degenerate,
      @Nullable String node,
      String op,
      Cause cause,
      @Nullable List<Long> index,
      @Nullable Long count) {

    private static final Map<String, Expectation> WEIGHTS =
        Map.of(
            "f01", bad(List.of(101L, 37L), 1),
            "f04", bad(List.of(0L, 312L), 128),
            "f06", bad(List.of(64L, 9L), 32));

    private static Expectation bad(List<Long> index, long count) {
      return new Expectation("", false, null, "", Cause.BAD_WEIGHT, index, count);
    }

    static Expectation of(String id, CacheType cache, FlashAttention flash, String prompt) {
      JsonNode expected = BrokenModel.manifest(id).get("expected");
      JsonNode first =
          expected.has("by_kv_cache") ? expected.get("by_kv_cache").get(cache.id()) : expected;
      String node = first.get("first_bad_node").asString(null);
      String op = first.path("first_bad_op").asString("");
      if (expected.has("triggers") && !expected.get("triggers").get(prompt).asBoolean()) {
        node = null;
      }
      boolean half = cache == CacheType.F16;
      if (expected.has("by_kv_cache") && !half && flash == FlashAttention.ON) {
        // The manifest lacks this combination: fused attention turns an F32 cache into F16 first.
        half = true;
        node = "cache_k_l%d (view) (permuted) (copy)".formatted(expected.get("layer").asInt());
        op = "CPY";
      }
      Cause cause = expected.has("by_kv_cache") && half ? Cause.F16_OVERFLOW : Cause.BAD_WEIGHT;
      if ("embd (or inp_embd)".equals(node)) {
        node = "embd";
      }
      Expectation weight = WEIGHTS.get(id.substring(0, 3));
      return new Expectation(
          id,
          id.startsWith("f07"),
          node,
          op,
          cause,
          weight == null ? null : weight.index(),
          weight == null ? null : weight.count());
    }
  }

  @Test
  void allOfTheSetIsHere() {
    assertThat(Faults.all())
        .filteredOn(f -> !f.get("kind").asString().equals("file"))
        .extracting(f -> f.get("id").asString())
        .containsExactlyInAnyOrderElementsOf(FAULTS);
  }
}
