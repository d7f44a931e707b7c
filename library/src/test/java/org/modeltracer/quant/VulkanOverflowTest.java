package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.testing.CancellingSums;
import org.modeltracer.testing.OverflowingSums;

/**
 * The crafted models that {@code backend.headroom} rejects from a run on a CPU, on a device whose
 * kernels do that arithmetic: products of several columns are added up in F16 and held within it,
 * so that an overflow shows as the largest number of F16.
 */
class VulkanOverflowTest {
  private static final double LARGEST = 65504;
  private static final int TOGETHER = 16;

  @TempDir private Path folder;

  /** Largest magnitude of what a weight makes of a text's activations. */
  private static double largest(Path model, String backend, String weight) {
    Setup setup = VulkanComparisonTest.on(backend, Texts.setup(model, 64, TOGETHER));
    double[] most = {0};
    try (var open = new OpenModel(setup.engine().runtime(), setup)) {
      Set<String> products =
          open.session().nodes().stream()
              .filter(node -> weight.equals(node.weight()) && node.op().equals("MUL_MAT"))
              .map(NodeInfo::key)
              .collect(Collectors.toSet());
      open.read(
          Texts.tokens(),
          products,
          values -> {
            for (long i = 0; i < (long) values.rows() * values.width(); i++) {
              float x = values.values().get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4 * i);
              assertThat(x).isFinite();
              most[0] = Math.max(most[0], Math.abs(x));
            }
          });
    }
    assertThat(most[0]).isPositive();
    return most[0];
  }

  @Test
  void sumsLeaveF16OnTheWay() {
    Path fits = CancellingSums.write(16, folder.resolve("fits.gguf"));
    double small = largest(fits, "cpu", CancellingSums.WEIGHT);
    assertThat(largest(fits, "vulkan", CancellingSums.WEIGHT))
        .isCloseTo(small, within(0.1 * small));
    Path overflows = CancellingSums.write(128, folder.resolve("overflows.gguf"));
    assertThat(largest(overflows, "cpu", CancellingSums.WEIGHT)).isLessThan(LARGEST / 10);
    assertThat(largest(overflows, "vulkan", CancellingSums.WEIGHT)).isEqualTo(LARGEST);
  }

  /** No weight reads the large activations: infinity times 0 is no number, and held within F16. */
  @Test
  void activationsLeaveF16() {
    String weight = OverflowingSums.WEIGHTS.getLast();
    Path fits = write(4_000);
    double healthy = largest(fits, "cpu", weight);
    assertThat(largest(fits, "vulkan", weight)).isCloseTo(healthy, within(0.01 * healthy));
    Path overflows = write(200_000);
    assertThat(largest(overflows, "cpu", weight)).isEqualTo(healthy);
    assertThat(largest(overflows, "vulkan", weight)).isEqualTo(LARGEST);
  }

  private Path write(float size) {
    return OverflowingSums.write(
        "tinyllama-mha-Q4_0.gguf", size, folder.resolve("activations.gguf"));
  }

  /** Two backends that differ by so much do not differ by rounding: float64 says which is wrong. */
  @Test
  void isBeyondRounding() {
    Setup setup = Texts.setup(CancellingSums.write(128, folder.resolve("diff.gguf")), 48, TOGETHER);
    Unexplained first =
        RoundingTest.compare(
                VulkanComparisonTest.on("cpu", setup), VulkanComparisonTest.on("vulkan", setup))
            .first();
    assertThat(first).isNotNull();
    assertThat(first.op()).isEqualTo("MUL_MAT");
    assertThat(first.place().layer()).isEqualTo(1);
    assertThat(first.side()).isEqualTo(Unexplained.Side.MODEL);
  }
}
