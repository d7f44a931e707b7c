package org.modeltracer.gate.checks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.Policies;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.sparse.IndexedModel;
import org.modeltracer.sparse.IndexedModel.Kind;
import org.modeltracer.testing.TinyModels;

/** What the gate says of indexers that are right, wrong, and not tested. */
class AttentionSparseTest {
  private static final Policy STRICT = Policies.withFailOn(Policies.PATIENT, Severity.WARNING);

  @TempDir Path folder;

  private CheckResult ask(Kind kind, Policy policy) {
    return ask(IndexedModel.write(kind, folder), policy, "attention.sparse");
  }

  private static CheckResult ask(Path file, Policy policy, String check) {
    try (var subject = new Subject(CheckRequest.of(file, policy))) {
      return Catalogue.find(check).orElseThrow().ask(subject);
    }
  }

  @Test
  void theRightKeysPass() {
    CheckResult result = ask(Kind.IDEAL, STRICT);
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.PASS);
    assertThat(result.evidence()).isEmpty();
    // Twice the keys that are selected, of which half see more; and the prompts' own.
    assertThat(((Number) result.signals().get("queries")).intValue())
        .isGreaterThanOrEqualTo(2 * IndexedModel.TOP_K);
    assertThat((Double) result.signals().get("recall_of_best_least")).isGreaterThan(0.99);
  }

  @Test
  void theWrongKeysAreAWarning() {
    Policy strict = Policies.withLimit(STRICT, "attention.sparse.recall", 0.9);
    CheckResult result = ask(Kind.SHUFFLED, strict);
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(result.evidence())
        .extracting(Evidence::rule, Evidence::severity, Evidence::layer)
        .containsExactly(
            tuple("indexer_recall", Severity.WARNING, 0),
            tuple("indexer_recall", Severity.WARNING, 1));
    Policy lenient = Policies.withLimit(STRICT, "attention.sparse.recall", 0.3);
    assertThat(ask(Kind.SHUFFLED, lenient).verdict()).isEqualTo(Verdict.PASS);
    Policy smoke = Policies.withFailOn(strict, Severity.CRITICAL);
    CheckResult noted = ask(Kind.SHUFFLED, smoke);
    assertThat(noted.verdict()).isEqualTo(Verdict.PASS);
    assertThat(noted.evidence()).hasSize(2);
  }

  @Test
  void aMistakeOfAPortFailsWhateverTheLimit() {
    Policy smoke = Policies.withLimit(Policies.PATIENT, "attention.sparse.recall", 0);
    CheckResult result = ask(Kind.ROTARY_LAYOUT, smoke);
    assertThat(result.verdict()).isEqualTo(Verdict.FAIL);
    assertThat(result.evidence().getFirst().rule()).isEqualTo("port_mistake");
    assertThat(result.evidence().getFirst().severity()).isEqualTo(Severity.CRITICAL);
    assertThat(result.message())
        .containsPattern("layer 0: recall 0\\.\\d\\d; 0\\.\\d\\d with the other layout");
  }

  @Test
  void whatNoContextExercisesIsAnAnswerOfItsOwn() {
    CheckResult result = ask(Kind.SHUFFLED, Policies.withTokens(STRICT, 1, IndexedModel.TOP_K));
    assertThat(result.verdict()).isEqualTo(Verdict.SKIPPED);
    assertThat(result.message())
        .isEqualTo(
            "not exercised: 32 keys are selected, and no query of a context of 32 sees more; a"
                + " policy with context: 64 tests it");
  }

  @Test
  void aDenseModelIsNotAsked() {
    CheckResult result = ask(TinyModels.of("llama").write(folder), STRICT, "attention.sparse");
    assertThat(result.verdict()).isEqualTo(Verdict.SKIPPED);
    assertThat(result.message()).isEqualTo("no layer of this model selects keys");
  }

  /** The anomalies are this check's, and told twice by nobody. */
  @Test
  void anomaliesAreNotCountedAgain() {
    Path file = IndexedModel.write(Kind.SHUFFLED, folder);
    CheckResult others = ask(file, STRICT, "forward.anomalies");
    assertThat(others.evidence()).extracting(Evidence::rule).doesNotContain("indexer_recall");
  }
}
