package org.modeltracer.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Vulkan;
import org.modeltracer.trace.TracerConfig;

/** Programs whose llama.cpp computes on a Vulkan device, beside sessions of our own on it. */
class VulkanAttachTest {
  private static final int[] PROMPT = {1, 70, 31, 9, 55, 12, 7, 81, 30};
  private static final int GENERATED = 12;

  @TempDir private static Path folder;
  private static LlamaRuntime runtime;

  @BeforeAll
  static void start() {
    runtime = Vulkan.runtime();
  }

  @ParameterizedTest(name = "{0}, flash attention {1}")
  @CsvSource({
    "tinyllama-mha-f32,false",
    "tinyllama-mha-f32,true",
    "tinyllama-gqa-Q8_0,true",
    "rand-mixtral-f32,false"
  })
  void numbersAreThoseOfASessionOfOurOwn(String name, boolean flash) throws Exception {
    Path model = Path.of("models", name + ".gguf");
    AttachTest.Seen own = AttachTest.own(runtime, model, flash, PROMPT, GENERATED);
    Path agent = CCompiler.agent(folder);
    Path driver = CCompiler.driver(folder, runtime.file());
    var task = new Driven.Task(model, 1, 1, flash, GENERATED, PROMPT);
    try (var driven = new Driven(TracerConfig.full(), model, 1 << 24, Attachment.Overflow.BLOCK)) {
      Process process = driven.start(agent, driver, runtime.file(), task.words());
      assertThat(Driven.output(process).strip()).isEqualTo(own.output());
      assertThat(process.waitFor()).isEqualTo(7);
      driven.attachment.close();
      assertThat(driven.notes).isEmpty();
      AttachTest.same(own, driven.tracers.getFirst(), driven.rows.getFirst().rows);
    }
  }

  /** Of another process and of this one: positions, cells and values are the device's. */
  @ParameterizedTest(name = "flash attention {0}")
  @ValueSource(booleans = {false, true})
  void cachesOnADeviceAreFollowed(boolean flash) throws Exception {
    var own = CacheOperationsTest.own(runtime, 2, true, flash, CacheType.F32);
    AttachTest.rows(own, CacheOperationsTest.attached(folder, runtime.file(), 2, true, flash));
    AttachTest.rows(own, CacheOperationsTest.loaded(folder, runtime.file(), 2, true, flash));
  }
}
