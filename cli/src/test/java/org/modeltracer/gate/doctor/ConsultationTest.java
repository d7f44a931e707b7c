package org.modeltracer.gate.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.Gate;
import org.modeltracer.gate.GateResult;
import org.modeltracer.gate.Gguf;
import org.modeltracer.gate.Judged;
import org.modeltracer.gate.Policies;
import org.modeltracer.gate.checks.Catalogue;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gate.policy.PolicyFile;

/** What explains the rest comes first. */
class ConsultationTest {
  private static final Path MODEL = Path.of("models", "tinyllama-gqa-f16.gguf");
  private static final Policy POLICY = PolicyFile.preset("default");

  @TempDir Path folder;

  private static GateResult found(Evidence... evidence) {
    return new GateResult(
        CheckRequest.of(MODEL, POLICY),
        List.of(
            new CheckResult("x.y", Verdict.FAIL, Map.of(), "failed", Arrays.asList(evidence)),
            new CheckResult(
                "file.metadata", Verdict.PASS, Map.of("chat_templates", 1), "", List.of())),
        null);
  }

  private static Evidence of(String rule) {
    return Evidence.of(rule, Severity.WARNING, "found " + rule);
  }

  @Test
  void theSurestFirst() {
    var all = Consultation.of(found(of("repetition"), of("nan"), of("no_language")), true);
    assertThat(all.suspects())
        .extracting(Suspect::illness)
        .containsExactly(
            Illness.BROKEN_NUMBERS, Illness.NO_LANGUAGE, Illness.REPETITION, Illness.RAW_PROMPT);
    assertThat(all.suspects().getFirst().sentence())
        .isEqualTo("The numbers break while the model runs: found nan.");
    assertThat(Consultation.of(found(of("repetition")), false).suspects()).hasSize(1);
  }

  /** A note speaks for what something else has shown, and is no illness by itself. */
  @Test
  void notesAreNoFaults() {
    Evidence note = Evidence.of("random_weights", Severity.INFO, "looks random");
    Consultation alone = Consultation.of(found(of("nan"), note), false);
    assertThat(alone.suspects())
        .extracting(Suspect::illness)
        .containsExactly(Illness.BROKEN_NUMBERS);
    assertThat(alone.noticed()).containsExactly("looks random");
    Consultation together = Consultation.of(found(of("no_language"), note), false);
    assertThat(together.suspects())
        .singleElement()
        .satisfies(suspect -> assertThat(suspect.evidence()).containsExactly("looks random"));
    assertThat(together.noticed()).isEmpty();
  }

  /** Every illness has advice, and every rule of findings that has help has an illness. */
  @Test
  void nobodyIsSentAwayWithoutAdvice() {
    for (Illness illness : Illness.values()) {
      assertThat(illness.advice()).as(illness.id()).isNotEmpty();
    }
    for (String rule : List.of("zero_factor", "kl_base", "not_scanned", "silent_default")) {
      assertThat(Illness.of(rule)).isNotNull();
    }
    assertThat(Illness.of("bytes_missing")).isEqualTo(Illness.TOKENIZER);
  }

  private Consultation withoutRunning(Path file, Path reference) {
    Map<String, Boolean> checks = new HashMap<>();
    Catalogue.names().forEach(name -> checks.put(name, name.startsWith("file.structure")));
    checks.put("reference.metadata", true);
    CheckRequest request =
        CheckRequest.of(file, Policies.withChecks(POLICY, checks)).against(reference);
    return Consultation.of(Gate.judge(request, Judged.QUIET), false);
  }

  @Test
  void aParameterThatIsNotTheReferences() {
    Path changed =
        new Gguf(MODEL).f32("llama.rope.freq_base", 1e6f).write(folder.resolve("rope.gguf"));
    assertThat(withoutRunning(changed, MODEL).suspects().getFirst().sentence())
        .isEqualTo(
            "A parameter is not the reference's: llama.rope.freq_base is 1000000, that of the"
                + " reference 10000.");
    assertThat(withoutRunning(MODEL, MODEL).suspects()).isEmpty();
  }
}
