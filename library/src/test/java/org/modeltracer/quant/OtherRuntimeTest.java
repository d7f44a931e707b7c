package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.model.Site;

/** One model on two runtimes, in two processes, and with two settings. */
class OtherRuntimeTest {
  private static final Setup F32 = Texts.setup("tinyllama-mha-f32.gguf", 64, 32);
  private static final Setup Q4 = Texts.setup("tinyllama-mha-Q4_0.gguf", 64, 32);
  private static final ComparisonOptions ALL = ComparisonOptions.defaults();

  private static QuantizationReport compare(Setup reference, Setup other) {
    try (var comparison = Comparison.open(reference, other)) {
      return comparison.run(Texts.tokens(), ALL, (done, all) -> {});
    }
  }

  private static Path usual() {
    return LlamaRuntime.load().file();
  }

  @Test
  void anotherProcessGivesTheSameNumbersToTheLastBit() {
    assertThat(compare(F32, Q4.withLibrary(usual()))).isEqualTo(compare(F32, Q4));
  }

  @Test
  void theOtherProcessEndsWithTheComparison() {
    List<ProcessHandle> children;
    try (var comparison = Comparison.open(F32, F32.withLibrary(usual()))) {
      children = children();
      assertThat(comparison.versions()).hasSize(2);
      assertThat(children).hasSize(1).allMatch(ProcessHandle::isAlive);
    }
    assertThat(children.getFirst().isAlive()).isFalse();
  }

  private static List<ProcessHandle> children() {
    return ProcessHandle.current()
        .children()
        .filter(ProcessHandle::isAlive)
        .filter(
            p ->
                p.info()
                    .arguments()
                    .map(List::of)
                    .orElse(List.of())
                    .contains(PartnerWorker.class.getName()))
        .toList();
  }

  @Test
  void aCrashOfTheOtherProcessIsToldInOneLine() {
    try (var comparison = Comparison.open(F32, F32.withLibrary(usual()))) {
      assertThatThrownBy(
              () ->
                  comparison.run(
                      Texts.tokens(),
                      ALL,
                      (done, all) -> children().forEach(ProcessHandle::destroyForcibly)))
          .isInstanceOfSatisfying(
              LlamaException.class, e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.DECODE))
          .hasMessageStartingWith("the process of the other llama.cpp ended: SIGKILL");
    }
  }

  @Test
  void aLibraryThatIsNoneIsRefusedInItsOwnWords() {
    assertThatThrownBy(() -> Comparison.open(F32, F32.withLibrary(Path.of("pom.xml"))))
        .isInstanceOfSatisfying(
            LlamaException.class, e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.LIBRARY))
        .hasMessageContaining("the other model: ")
        .hasMessageContaining("pom.xml");
    assertThat(children()).isEmpty();
  }

  @Test
  void anotherGenerationIsComparedPlaceByPlace() {
    Optional<Path> older = Runtimes.embedded("b4916");
    Optional<Path> usual = Runtimes.embedded("v0.5.0");
    assumeThat(older).as("b4916 for this platform").isPresent();
    assumeThat(usual).as("v0.5.0 for this platform").isPresent();
    Setup one = exact(F32).withLibrary(usual.orElseThrow());
    QuantizationReport report = compare(one, exact(F32).withLibrary(older.orElseThrow()));
    for (int layer = 0; layer < 4; layer++) {
      int own = layer;
      assertThat(
              report.nodes().stream()
                  .filter(n -> n.place().layer() == own)
                  .map(n -> n.place().site()))
          .contains(
              Site.QUERY,
              Site.KEY,
              Site.VALUE,
              Site.ATTENTION,
              Site.CONTEXT,
              Site.ATTN_OUT,
              Site.FFN_GATE,
              Site.FFN_UP,
              Site.FFN_HIDDEN,
              Site.FFN_OUT,
              Site.LAYER_OUT);
    }
    assertThat(report.nodes()).isNotEmpty().allMatch(n -> n.accumulated().relativeL2() < 1e-3);
    assertThat(report.logits()).isNotNull();
    assertThat(report.logits().klMax()).isLessThan(1e-6);
    assertThat(report.firstDivergence()).isNull();
    // With a finer tolerance the rounding of other kernels shows, and where it shows first.
    try (var comparison = Comparison.open(one, exact(Q4).withLibrary(older.orElseThrow()))) {
      QuantizationReport quantized = comparison.run(Texts.tokens(), ALL, (done, all) -> {});
      assertThat(quantized.firstDivergence()).isNotNull();
      assertThat(quantized.firstDivergence().place().site()).isEqualTo(Site.EMBEDDING);
      assertThat(quantized.nodes()).isNotEmpty().allMatch(n -> n.local() != null);
    }
  }

  /** One name, several nodes: an encoder's norms are counted differently by the two releases. */
  @Test
  void nodesOfOneNameArePairedByTheWeightsAroundThem() {
    Path encoder = Path.of("..", "shared", "real", "minilm-l2-f16.gguf");
    assumeThat(encoder).as("the shared models are not at hand").exists();
    Optional<Path> older = Runtimes.embedded("b4916");
    assumeThat(older).as("b4916 for this platform").isPresent();
    Setup one = Setup.of(encoder);
    try (var comparison = Comparison.open(one, one.withLibrary(older.orElseThrow()))) {
      int[] tokens = comparison.vocabulary().tokenize("the girl ran over the wall", true, false);
      QuantizationReport report = comparison.run(tokens, ALL, (done, all) -> {});
      assertThat(report.nodes())
          .filteredOn(n -> n.op().equals("NORM"))
          .hasSize(4)
          .allMatch(n -> n.accumulated().relativeL2() < 1e-3);
      assertThat(report.count(QuantizationLevel.CRITICAL)).isZero();
      assertThat(report.embeddings()).isNotNull();
      assertThat(report.embeddings().cosineMin()).isGreaterThan(0.99999);
    }
  }

  private static Setup exact(Setup setup) {
    return setup.withContext(
        setup
            .context()
            .withFlashAttention(FlashAttention.OFF)
            .withCacheTypes(CacheType.F32, CacheType.F32));
  }

  @Test
  void aCoarserCacheShowsFirstInAttention() {
    Setup coarse = F32.withContext(F32.context().withCacheTypes(CacheType.Q8_0, CacheType.F16));
    QuantizationReport report = compare(F32, coarse);
    FirstDivergence first = report.firstDivergence();
    assertThat(first).isNotNull();
    assertThat(first.place().site()).isEqualTo(Site.ATTENTION);
    assertThat(first.place().layer()).isZero();
    assertThat(first.relativeL2()).isGreaterThan(ComparisonOptions.TOLERANCE);
    // What is computed before the cache is read is the same to the last bit.
    assertThat(
            report.nodes().stream()
                .filter(n -> n.place().layer() == 0)
                .filter(n -> List.of(Site.QUERY, Site.KEY, Site.VALUE).contains(n.place().site())))
        .hasSize(3)
        .allMatch(n -> n.accumulated().relativeL2() == 0);
  }

  @Test
  void flashAttentionIsTheSameAttention() {
    Setup fused = F32.withContext(F32.context().withFlashAttention(FlashAttention.ON));
    Setup plain = F32.withContext(F32.context().withFlashAttention(FlashAttention.OFF));
    QuantizationReport report = compare(fused, plain);
    assertThat(report.heads()).hasSize(16).allMatch(head -> head.accumulated() < 1e-6);
    assertThat(report.nodes()).isNotEmpty().allMatch(n -> n.accumulated().relativeL2() < 5e-3);
    assertThat(report.nodes().stream().filter(n -> n.place().site() == Site.ATTENTION))
        .hasSize(4)
        .allMatch(n -> n.op().equals("FLASH_ATTN_EXT") && n.otherTensor().startsWith("kq_soft"));
  }
}
