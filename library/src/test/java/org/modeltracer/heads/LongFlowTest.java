package org.modeltracer.heads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.LayerMeans;
import org.modeltracer.attention.report.AttentionFlow;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.LayeredGraph;
import org.modeltracer.testing.Shared;

/** Maximum flow of 256 tokens through real graphs, against another algorithm. */
class LongFlowTest {
  private static final int TOKENS = 256;

  @Test
  void isThatOfAnotherAlgorithm() {
    exact(Path.of("models", "rand-qwen2-f32.gguf"));
  }

  /** Near uniform attention, in which every capacity is small and none may be left out. */
  @Test
  void nothingIsLostOfManySmallCapacities() {
    exact(Architectures.model("qwen3-dense-f16"));
  }

  @Test
  void norOfTheModelThatLostMostOnce() {
    exact(Shared.file("models", "rand-qwen3-f32.gguf"));
  }

  private static void exact(Path file) {
    var trace =
        Analysed.run(
            LlamaRuntime.load(),
            file,
            Analysed.exact(),
            (analysis, session) -> {
              int[] ids = new Random(256).ints(TOKENS, 3, 128).toArray();
              analysis.begin(ids);
              session.evaluate(ids, true);
            });
    LayerMeans means = Objects.requireNonNull(trace.collector().collected().example()).layers();
    assertThat(means.positions()).isEqualTo(TOKENS);
    var graph = LayeredGraph.of(means.depth(), TOKENS, means::mixed);
    assertThat(trace.analysis().attentionFlow().flowPaths()).hasSize(4);
    for (AttentionFlow.Path path : trace.analysis().attentionFlow().flowPaths()) {
      double other = graph.boykovKolmogorov(TOKENS - 1, path.startPosition());
      assertThat(path.maxFlow()).isEqualTo(other, within(1e-9 * other));
    }
  }
}
