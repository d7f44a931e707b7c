package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.TinyModel;
import org.modeltracer.testing.TinyModels;

/** Wherever an architecture keeps its residual stream, the layer that was changed is found. */
class ArchitecturesTest {
  @TempDir private Path folder;

  static List<String> architectures() {
    return TinyModels.names().stream().filter(name -> !name.equals("t5")).toList();
  }

  @ParameterizedTest
  @MethodSource("architectures")
  void theChangedLayerAloneHasAnErrorOfItsOwn(String architecture) {
    Path base = TinyModels.of(architecture).write(folder);
    Path other =
        new Edited(base)
            .perturb(name -> name.startsWith("blk.0."), 0.05)
            .write(folder.resolve("other.gguf"));
    int[] tokens = new Random(1).ints(24, 0, TinyModel.VOCABULARY).toArray();
    // Some read all of a text at once.
    int together = architecture.equals("bert") ? 24 : 10;
    try (var comparison =
        Comparison.open(Texts.setup(base, 24, together), Texts.setup(other, 24, together))) {
      QuantizationReport report =
          comparison.run(tokens, ComparisonOptions.defaults(), (done, all) -> {});
      assertThat(report.localReason()).isNull();
      assertThat(report.nodes()).hasSizeGreaterThan(20);
      for (NodeError node : report.nodes()) {
        TensorError local = node.local();
        assertThat(local).isNotNull();
        if (node.place().layer() != 0) {
          assertThat(local.relativeL2()).as(node.toString()).isZero();
        }
      }
      assertThat(report.layers()).hasSize(TinyModel.LAYERS);
      TensorError changed = report.layers().getFirst().local();
      TensorError later = report.layers().getLast().accumulated();
      assertThat(changed).isNotNull();
      assertThat(later).isNotNull();
      assertThat(changed.relativeL2()).isGreaterThan(1e-3);
      assertThat(later.relativeL2()).isGreaterThan(1e-3);
      assertThat(comparison.mostKept()).isZero();
      assertThat(report.logits() == null).isEqualTo(architecture.equals("bert"));
    }
  }

  /** Scores by key grow with the text, beyond what the survey saw; masks are no values. */
  @Test
  void selectedKeysOfALongText() {
    Path model = Architectures.model("deepseek32-moe-f16");
    Setup setup = Texts.setup(model, 300, 64);
    setup = setup.withContext(setup.context().withFlashAttention(FlashAttention.OFF));
    int[] tokens = new Random(1).ints(300, 0, 90).toArray();
    try (var comparison = Comparison.open(setup, setup)) {
      QuantizationReport report =
          comparison.run(tokens, ComparisonOptions.defaults(), (done, all) -> {});
      assertThat(report.nodes()).extracting(NodeError::op).contains("LIGHTNING_INDEXER");
      assertThat(report.nodes())
          .allSatisfy(
              node -> {
                assertThat(node.accumulated().relativeL2()).as(node.toString()).isZero();
                assertThat(node.level()).isEqualTo(QuantizationLevel.ACCEPTABLE);
              });
    }
  }

  @Test
  void anEncoderWithADecoderIsRefused() {
    Setup t5 = Texts.setup(TinyModels.of("t5").write(folder), 24, 24);
    assertThatThrownBy(() -> Comparison.open(t5, t5))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("models with an encoder and a decoder are not compared");
  }
}
