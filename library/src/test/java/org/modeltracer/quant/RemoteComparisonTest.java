package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.llama.Engine;
import org.modeltracer.llama.ModelOptions.Placement;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.testing.RpcServer;

/**
 * Models on llama.cpp's rpc-server, on this machine, node beside node.
 *
 * <p>Runs where MODELTRACER_LLAMA_LIB names a build that has the RPC backend and its server.
 */
class RemoteComparisonTest {
  private static final int ALL_LAYERS = 99;
  private static Path library;

  @BeforeAll
  static void find() {
    library = Runtimes.libraries().getLast();
    assumeTrue(
        RpcServer.beside(library).isPresent(),
        "no rpc-server beside " + library + "; MODELTRACER_LLAMA_LIB takes a build with it");
  }

  private static Engine engine(int layers, List<String> servers) {
    return new Engine(library, new Placement(layers, List.of(), servers, true));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aModelThereIsTheModelHere(boolean bothThere) {
    Setup local = Texts.setup("tinyllama-mha-f32.gguf", 64, 16);
    Setup here = new Setup(local.model(), engine(0, List.of()), local.context());
    try (RpcServer server = RpcServer.start(library)) {
      var place = engine(ALL_LAYERS, List.of(server.endpoint()));
      Setup there = new Setup(local.model(), place, local.context());
      try (var comparison = Comparison.open(bothThere ? there : here, there)) {
        QuantizationReport report =
            comparison.run(Texts.tokens(), ComparisonOptions.defaults(), (done, all) -> {});
        assertThat(report.nodes()).isNotEmpty();
        assertThat(report.nodes()).allMatch(node -> node.accumulated().cosine() > 0.99999);
        assertThat(report.logits().klMax()).isLessThan(1e-5);
      }
    }
  }
}
