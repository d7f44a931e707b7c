package org.modeltracer.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;

/**
 * A llama.cpp that computes on a Vulkan device by default, where there is one.
 *
 * <p>{@code mvn -Pvulkan} fetches it and names it in MODELTRACER_LLAMA_LIB; Mesa's llvmpipe is a
 * device on every processor, which llama.cpp takes where GGML_VK_VISIBLE_DEVICES is 0.
 */
public final class Vulkan {
  private Vulkan() {}

  /** That llama.cpp; skips the test, and says why, where there is none. */
  public static LlamaRuntime runtime() {
    Path library = Runtimes.libraries().getLast();
    assumeTrue(
        Files.exists(library.resolveSibling("libggml-vulkan.so")),
        "no Vulkan backend beside " + library + "; mvn -Pvulkan fetches one");
    LlamaRuntime runtime = LlamaRuntime.load(library);
    assumeTrue(
        runtime.devices().stream().anyMatch(device -> device.backend().equals("Vulkan")),
        "no Vulkan device: mesa-vulkan-drivers has one in software, which takes"
            + " GGML_VK_VISIBLE_DEVICES=0");
    return runtime;
  }
}
