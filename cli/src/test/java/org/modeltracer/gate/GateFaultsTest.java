package org.modeltracer.gate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.testing.Faults;
import org.modeltracer.testing.Sample;
import tools.jackson.databind.JsonNode;

/** The whole fault set: verdict, exit code, guilty weight. */
class GateFaultsTest {
  @TempDir Path folder;

  static List<String> files() {
    return Faults.ofKind("file");
  }

  @ParameterizedTest
  @MethodSource("files")
  void brokenHeadersAreUnreadable(String id) throws IOException {
    GateResult judgement = Judged.by("default", Faults.make(id, folder));
    assertThat(Judged.exitCode(judgement)).isEqualTo(3);
    assertThat(Judged.ids(judgement, Verdict.FAIL)).containsExactly("file.structure");
    assertThat(Judged.ids(judgement, Verdict.PASS)).isEmpty();
    assertThat(Judged.ids(judgement, Verdict.ERROR)).isEmpty();
  }

  static List<Arguments> badWeights() {
    return Sample.of(
        List.of(
            arguments("f01_nan_ffn_down_l2", "forward.finite", 2, "MUL_MAT"),
            arguments("f03_overflow_attn_norm_l3", "forward.finite", 3, "SET_ROWS"),
            arguments("f04_nan_token_embd_row", "forward.finite", -1, "GET_ROWS"),
            arguments("f06_q8_nan_scale_attn_v_l0", "forward.finite", 0, "MUL_MAT"),
            arguments("f07_zero_q_l1", "attention.health", 1, "FLASH_ATTN_EXT"),
            arguments("f14_k_overflows_f16_cache_l2", "forward.finite", 2, "SET_ROWS")),
        3);
  }

  @ParameterizedTest
  @MethodSource("badWeights")
  void badWeightsAreFoundAndNamed(String id, String check, int layer, String op)
      throws IOException {
    GateResult judgement = Judged.by(withPromptOf(id), Faults.make(id, folder));
    assertThat(Judged.exitCode(judgement)).isEqualTo(1);
    CheckResult result = Judged.result(judgement, check);
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    String weight = Faults.get(id).get("expected").get("root_weight").asString();
    assertThat(result.evidence())
        .extracting(Evidence::tensor, Evidence::layer, Evidence::op)
        .contains(tuple(weight, layer, op));
    assertThat(result.message()).contains(weight);
    assertThat(judgement.trace()).isNotNull();
  }

  /** The bad token of f04 is a word that the usual prompts do not have. */
  private static Policy withPromptOf(String id) {
    // A head that looks at all keys alike is a warning.
    Policy usual = Policies.withFailOn(PolicyFile.preset("smoke"), Severity.WARNING);
    return id.startsWith("f04")
        ? Policies.withPrompts(usual, "it is said that all is well")
        : usual;
  }

  @Test
  void theControlRunsClean() throws IOException {
    Path file = Faults.make("f13_nan_unused_embd_row", folder);
    GateResult judgement = Judged.by("smoke", file);
    assertThat(Judged.ids(judgement, Verdict.PASS))
        .contains("file.loads", "forward.finite", "attention.health", "generation.sanity");
    // The weight itself is bad all the same.
    assertThat(Judged.ids(judgement, Verdict.FAIL)).isSubsetOf("file.data");
  }

  @Test
  void allOfTheSetIsHere() {
    assertThat(Faults.all().stream().map((JsonNode f) -> f.get("id").asString()))
        .hasSize(files().size() + 7);
  }
}
