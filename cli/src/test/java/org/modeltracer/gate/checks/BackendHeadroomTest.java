package org.modeltracer.gate.checks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.testing.CancellingSums;
import org.modeltracer.testing.ModelsAtHand;
import org.modeltracer.testing.OverflowingSums;
import org.modeltracer.testing.Sample;

/** What GPUs keep in F16, foreseen from a run on a CPU. */
class BackendHeadroomTest {
  private static final String Q4 = "tinyllama-mha-Q4_0.gguf";

  @TempDir Path folder;

  private static CheckResult ask(String check, Path file) {
    try (var subject = new Subject(CheckRequest.of(file, PolicyFile.preset("default")))) {
      return Catalogue.find(check).orElseThrow().ask(subject);
    }
  }

  /** All else that runs the model finds nothing: the values are finite, and fit in F16. */
  @ParameterizedTest
  @CsvSource({"tinyllama-mha-Q4_0, q4_0", "tinyllama-gqa-Q4_K_M, q4_K"})
  void sumsThatOverflowOnlyOnGpusAreFound(String name, String type) {
    Path model = OverflowingSums.write(name + ".gguf", 4_000, folder.resolve("sums.gguf"));
    CheckResult result = ask("backend.headroom", model);
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.FAIL);
    assertThat(result.evidence())
        .filteredOn(e -> e.rule().equals("block_sum_overflow"))
        .extracting(Evidence::tensor)
        .containsExactlyInAnyOrderElementsOf(OverflowingSums.WEIGHTS);
    assertThat(result.evidence().getFirst())
        .satisfies(
            e -> {
              assertThat(e.severity()).isEqualTo(Severity.CRITICAL);
              assertThat(e.layer()).isEqualTo(1);
              assertThat(e.message())
                  .contains(
                      "(%s): on CUDA and Vulkan a sum of 32 activations reaches".formatted(type));
            });
    assertThat(ask("forward.finite", model).verdict()).isEqualTo(Verdict.PASS);
    assertThat(ask("forward.headroom", model).verdict()).isEqualTo(Verdict.PASS);
  }

  /** A sum grows as the values do, so the bits left are those of the size: closed form. */
  @Test
  void bitsAreThoseOfTheSize() {
    double large = bits(OverflowingSums.write(Q4, 4_000, folder.resolve("large.gguf")));
    double small = bits(OverflowingSums.write(Q4, 500, folder.resolve("small.gguf")));
    assertThat(large).isNegative();
    assertThat(small - large).isCloseTo(3, within(1e-3));
    CheckResult noted = ask("backend.headroom", folder.resolve("small.gguf"));
    assertThat(noted.verdict()).isEqualTo(Verdict.PASS);
    Path near = OverflowingSums.write(Q4, 1_000, folder.resolve("near.gguf"));
    assertThat(ask("backend.headroom", near))
        .satisfies(
            result -> {
              assertThat(result.verdict()).isEqualTo(Verdict.PASS);
              assertThat(result.evidence())
                  .isNotEmpty()
                  .allMatch(e -> e.rule().equals("headroom") && e.severity() == Severity.WARNING);
            });
  }

  /** 16 large products and then the same ones negative: the end fits in F16, the way there not. */
  @Test
  void partialSumsThatOverflowAreFound() {
    Path model = CancellingSums.write(128, folder.resolve("cancelling.gguf"));
    CheckResult result = ask("backend.headroom", model);
    assertThat(result.verdict()).as(result.message()).isEqualTo(Verdict.FAIL);
    assertThat(result.evidence())
        .singleElement()
        .satisfies(
            e -> {
              assertThat(e.rule()).isEqualTo("f16_overflow");
              assertThat(e.tensor()).isEqualTo(CancellingSums.WEIGHT);
              assertThat(e.message()).contains("(f16): on CUDA and Vulkan a partial sum");
            });
    assertThat(ask("forward.finite", model).verdict()).isEqualTo(Verdict.PASS);
    assertThat(ask("forward.headroom", model).verdict()).isEqualTo(Verdict.PASS);
    // The largest sum is the one of 16 equal weights, so it is as large as they are.
    double small = bits(CancellingSums.write(16, folder.resolve("small.gguf")));
    assertThat(small - bits(model)).isCloseTo(3, within(1e-3));
  }

  private static double bits(Path model) {
    return (double) ask("backend.headroom", model).signals().get("bits_vulkan");
  }

  @Test
  void healthyModelsRaiseNoWarning() throws IOException {
    for (Path model : Sample.of(List.copyOf(ModelsAtHand.all(folder).values()), 8)) {
      CheckResult result = ask("backend.headroom", model);
      assertThat(result.verdict())
          .as("%s: %s", model.getFileName(), result.message())
          .isEqualTo(Verdict.PASS);
      assertThat(result.evidence()).as(model.toString()).isEmpty();
    }
  }
}
