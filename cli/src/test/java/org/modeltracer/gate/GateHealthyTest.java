package org.modeltracer.gate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.gate.checks.Catalogue;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.llama.Engine;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Sample;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.trace.Json;

/** Models with nothing wrong pass the strictest preset; random weights say what is random. */
class GateHealthyTest {
  static List<Path> models() throws IOException {
    try (var files = Files.list(Path.of("models"))) {
      return Sample.of(
          files.filter(f -> f.getFileName().toString().matches("tiny.*\\.gguf")).sorted().toList(),
          1);
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void passStrict(Path model) {
    GateResult judgement = Judged.by("strict", model);
    assertThat(judgement.results())
        .filteredOn(r -> r.verdict() == Verdict.FAIL || r.verdict() == Verdict.ERROR)
        .isEmpty();
    assertThat(Judged.exitCode(judgement)).isZero();
    // Nothing but what needs a reference, an earlier summary, a chat template or an indexer is left
    // out.
    assertThat(Judged.ids(judgement, Verdict.SKIPPED))
        .allMatch(
            id -> id.matches("(.*reference.*|baseline.*|tokenizer\\.template|attention\\.sparse)"));
    assertThat(SummarySchema.errors(Json.pretty(judgement.trace()))).isEmpty();
  }

  static List<Path> architectures() {
    return Sample.of(Architectures.all(), 1);
  }

  static List<Path> random() {
    return Sample.of(
        Stream.of("qwen2", "gemma2", "gpt2", "mixtral")
            .map(name -> Path.of("models", "rand-" + name + "-f32.gguf"))
            .toList(),
        1);
  }

  /** Random weights compute as soundly as any, and say nothing. */
  @ParameterizedTest
  @MethodSource("random")
  void onlyTheirLanguageIsWrong(Path model) {
    GateResult judgement = Judged.by("strict", model);
    assertThat(judgement.results())
        .filteredOn(r -> r.verdict() == Verdict.FAIL || r.verdict() == Verdict.ERROR)
        .extracting(CheckResult::id)
        .containsExactly("language.perplexity");
  }

  /**
   * Random weights of small deviation, which no trained model has: their heads look at all keys
   * alike and their logits are flat, and that is what fails.
   */
  @ParameterizedTest
  @MethodSource("architectures")
  void randomArchitecturesAreCheckedToTheEnd(Path model) {
    GateResult judgement = Judged.by("smoke", model);
    assertThat(Judged.ids(judgement, Verdict.ERROR)).isEmpty();
    assertThat(Judged.ids(judgement, Verdict.PASS))
        .contains("file.structure", "file.loads", "forward.finite", "determinism.repeat");
    assertThat(Judged.ids(judgement, Verdict.FAIL))
        .isSubsetOf(
            "attention.health", "language.perplexity", "generation.sanity", "file.metadata");
  }

  static List<Arguments> quantizations() {
    List<Arguments> all =
        List.of(
            Arguments.of("tinyllama-gqa-Q4_K_M", "tinyllama-gqa-f16", true),
            Arguments.of("tinyllama-gqa-Q2_K", "tinyllama-gqa-f16", false),
            Arguments.of("tinyllama-mha-f32", "tinyllama-gqa-f16", false),
            Arguments.of("tinyllama-mha-Q8_0", "tinyllama-mha-f32", true),
            Arguments.of("tinyllama-mha-f16", "tinyllama-mha-f32", true));
    return all.subList(0, Sample.times(1, all.size()));
  }

  @ParameterizedTest
  @MethodSource("quantizations")
  void quantizationKeepsToItsBudgetOrNot(String model, String reference, boolean passes) {
    Policy all = PolicyFile.preset("default");
    Map<String, Boolean> off = new HashMap<>();
    Catalogue.names().stream()
        .filter(
            id ->
                id.matches("(forward|attention|language|generation|determinism|kv|tokenizer)\\..*"))
        .forEach(id -> off.put(id, false));
    GateResult judgement =
        Gate.judge(
            new CheckRequest(
                Path.of("models", model + ".gguf"),
                Path.of("models", reference + ".gguf"),
                null,
                Engine.usual(),
                Policies.withChecks(all, off)),
            Judged.QUIET);
    assertThat(Judged.ids(judgement, Verdict.ERROR)).isEmpty();
    CheckResult logits = Judged.result(judgement, "reference.logits");
    assertThat(logits.verdict()).isEqualTo(passes ? Verdict.PASS : Verdict.FAIL);
    if (passes) {
      assertThat(Judged.ids(judgement, Verdict.PASS)).contains("reference.layers");
      assertThat((double) logits.signals().get("kl_mean")).isBetween(1e-9, 0.1);
    } else {
      assertThat(Judged.exitCode(judgement)).isEqualTo(1);
    }
  }
}
