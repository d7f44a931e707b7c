package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.llama.Engine;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.testing.ModelsAtHand;
import org.modeltracer.testing.Sample;
import org.modeltracer.testing.Vulkan;

/** A model on a Vulkan device beside itself on the processor, node by node. */
class VulkanComparisonTest {
  @TempDir private static Path folder;

  @ParameterizedTest
  @CsvSource({"tinyllama-mha-f32, 1e-4", "tinyllama-mha-Q8_0, 1e-2", "tinyllama-gqa-Q4_K_M, 1e-2"})
  void differsAsRoundingDoes(String name, double mostKl) {
    Setup setup = Texts.setup(name + ".gguf", 64, 16);
    try (var comparison = Comparison.open(on("cpu", setup), on("vulkan", setup))) {
      QuantizationReport report =
          comparison.run(Texts.tokens(), ComparisonOptions.defaults(), (done, all) -> {});
      assertThat(report.nodes()).isNotEmpty();
      assertThat(report.nodes()).allMatch(node -> node.accumulated().cosine() > 0.998);
      assertThat(report.rounding()).isNotNull();
      assertThat(report.rounding().first()).isNull();
      assertThat(report.logits()).isNotNull();
      // Nothing at all would say that both sides ran on the same device.
      assertThat(report.logits().klMax()).isBetween(1e-12, mostKl);
    }
  }

  static List<Path> models() throws IOException {
    return Sample.of(ModelsAtHand.ofOneGraph(folder), 4);
  }

  /** Neither side's kernels are wrong, so nothing is beyond what their arithmetic explains. */
  @ParameterizedTest
  @MethodSource("models")
  void isRoundingOnEveryModel(Path model) {
    for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
      Setup setup = RoundingTest.setup(model, flash, 1);
      Rounding rounding = RoundingTest.compare(on("cpu", setup), on("vulkan", setup));
      assertThat(rounding.first()).as("flash attention %s", flash).isNull();
      // Nothing at all would say that both sides ran on the same device.
      assertThat(rounding.largest()).isPositive();
    }
  }

  static Setup on(String backend, Setup setup) {
    Engine engine = new Engine(Vulkan.runtime().file(), Engine.usual().placement());
    return new Setup(setup.model(), engine.onDevices(List.of(backend)), setup.context());
  }
}
