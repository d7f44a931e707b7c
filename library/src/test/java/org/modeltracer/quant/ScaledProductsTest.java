package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.Nvfp4File;

/** A product with a weight whose scale is a tensor of its own is compared after that scale. */
class ScaledProductsTest {
  private static final Path BASE = Golden.model("tinyllama-mha-f32.gguf");

  @TempDir Path folder;

  @Test
  void productsAreComparedAfterTheScale() {
    Path file = folder.resolve("nvfp4.gguf");
    Nvfp4File.write(BASE, file, name -> true, name -> true, name -> true);
    QuantizationReport report;
    try (var comparison = Comparison.open(Texts.setup(BASE, 64, 64), Texts.setup(file, 64, 64))) {
      report = comparison.run(Texts.tokens(), ComparisonOptions.defaults(), (done, all) -> {});
    }
    for (String weight : List.of("attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")) {
      for (int layer = 0; layer < 4; layer++) {
        String name = "blk." + layer + "." + weight + ".weight";
        // Four bits leave some 10 % of error; without its scale a product is thousands too large.
        assertThat(report.nodes())
            .filteredOn(node -> name.equals(node.weight()))
            .isNotEmpty()
            .allSatisfy(node -> assertThat(node.accumulated().relativeL2()).isBetween(1e-3, 0.5));
      }
    }
  }
}
