package org.modeltracer.lens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.Vulkan;

/** Weights in the memory of a Vulkan device read by a lens as they are by the processor. */
class VulkanLensTest {
  @ParameterizedTest
  @CsvSource({"tinyllama-mha-f32, 0.02", "tinyllama-gqa-Q4_K_M, 0.3", "rand-gemma2-f32, 0.02"})
  void readsTheSameAsTheProcessor(String name, double tolerance) {
    LlamaRuntime runtime = Vulkan.runtime();
    int[] ids = Golden.load("tinyllama-mha", "short").ids();
    var lens = new LensOptions(true, 2, List.of(5));
    var processor = ModelOptions.defaults().withDevices(List.of("cpu"));
    var device = ModelOptions.defaults().withDevices(List.of("vulkan"));
    var file = Golden.model(name + ".gguf");
    LensRun here = LensRun.of(runtime, file, processor, ids, lens, 2);
    LensRun there = LensRun.of(runtime, file, device, ids, lens, 2);
    assertThat(there.steps()).isEqualTo(here.steps());
    assertThat(there.readings()).hasSameSizeAs(here.readings()).isNotEmpty();
    for (int i = 0; i < there.readings().size(); i++) {
      assertThat(there.readings().get(i).difference()).isLessThan(2 * tolerance);
      List<Double> logits = there.readings().get(i).tracked().getFirst().logits();
      for (int layer = 0; layer < logits.size(); layer++) {
        double want = here.readings().get(i).tracked().getFirst().logits().get(layer);
        assertThat(logits.get(layer)).isCloseTo(want, within(tolerance));
      }
    }
  }
}
