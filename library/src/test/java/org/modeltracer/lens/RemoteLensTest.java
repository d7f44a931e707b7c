package org.modeltracer.lens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.testing.RpcServer;

/**
 * Weights that are not in this process's memory: on llama.cpp's rpc-server, on this machine.
 *
 * <p>Runs where MODELTRACER_LLAMA_LIB names a build that has the RPC backend and its server.
 */
class RemoteLensTest {
  private static final int ALL_LAYERS = 99;
  private static LlamaRuntime runtime;

  @BeforeAll
  static void start() {
    Path library = Runtimes.libraries().getLast();
    assumeTrue(
        RpcServer.beside(library).isPresent(),
        "no rpc-server beside " + library + "; MODELTRACER_LLAMA_LIB takes a build with it");
    runtime = LlamaRuntime.load(library);
  }

  static Stream<Arguments> models() {
    return Stream.of("tinyllama-mha-f32", "tinyllama-gqa-Q4_K_M", "rand-gemma2-f32")
        .flatMap(
            file ->
                Stream.of(2, ALL_LAYERS)
                    .map(layers -> Arguments.of(Path.of("models", file + ".gguf"), layers)));
  }

  @ParameterizedTest
  @MethodSource("models")
  void readsTheSameAsHere(Path file, int layersThere) {
    int[] ids = new Random(8).ints(20, 0, 384).toArray();
    var lens = new LensOptions(true, 2, List.of(5));
    // Kernels differ, and a quantized model rounds what they differ by again and again.
    double tolerance = file.toString().contains("Q4") ? 0.1 : 1e-3;
    LensRun here = LensRun.of(runtime, file, ids, lens, 2);
    LensRun there;
    try (RpcServer server = RpcServer.start(runtime.file())) {
      var where =
          ModelOptions.defaults()
              .withGpuLayers(layersThere)
              .withRpcServers(List.of(server.endpoint()));
      there = LensRun.of(runtime, file, where, ids, lens, 2);
    }
    assertThat(there.steps()).isEqualTo(here.steps());
    assertThat(there.readings()).hasSize(21);
    for (int i = 0; i < 21; i++) {
      assertThat(there.readings().get(i).difference()).isLessThan(1e-3);
      List<Double> logits = there.readings().get(i).tracked().getFirst().logits();
      for (int layer = 0; layer < logits.size(); layer++) {
        double want = here.readings().get(i).tracked().getFirst().logits().get(layer);
        assertThat(logits.get(layer)).isCloseTo(want, within(tolerance));
      }
    }
  }
}
