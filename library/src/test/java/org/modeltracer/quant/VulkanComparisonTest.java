package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.llama.Engine;
import org.modeltracer.testing.Vulkan;

/** A model on a Vulkan device beside itself on the processor, node by node. */
class VulkanComparisonTest {
  @ParameterizedTest
  @CsvSource({"tinyllama-mha-f32, 1e-4", "tinyllama-mha-Q8_0, 1e-2", "tinyllama-gqa-Q4_K_M, 1e-2"})
  void differsAsRoundingDoes(String name, double mostKl) {
    Engine engine = new Engine(Vulkan.runtime().file(), Engine.usual().placement());
    Setup setup = Texts.setup(name + ".gguf", 64, 16);
    var here = new Setup(setup.model(), engine.onDevices(List.of("cpu")), setup.context());
    var there = new Setup(setup.model(), engine.onDevices(List.of("vulkan")), setup.context());
    try (var comparison = Comparison.open(here, there)) {
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
}
