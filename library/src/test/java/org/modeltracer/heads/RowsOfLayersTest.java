package org.modeltracer.heads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.LayerFlow;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.attention.report.AttentionLayer;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.Architectures;
import org.modeltracer.trace.LayerActivationTrace;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.PlaceTrace;
import org.modeltracer.trace.TracerConfig;

/** What is put side by side of layers rests on the same tokens, or says that it does not. */
class RowsOfLayersTest {
  private static final int TOKENS = 32;

  /** What one run says of a model. */
  private record Seen(AttentionAnalysis analysis, List<LayerActivationTrace> layers) {}

  private static Seen run(Path file, ContextOptions context, boolean scored) {
    try (var model = LlamaRuntime.load().open(file);
        var tracer =
            new ModelTracer(TracerConfig.builder().activations(true).attention(true).build());
        var session =
            TracedSession.open(model, SessionOptions.defaults().withContext(context), tracer)) {
      var trace =
          new AttentionTrace(model, GgufFile.read(file), AttentionOptions.defaults(), 1e12)
              .attach(tracer, session);
      int[] ids = new Random(3).ints(TOKENS, 0, model.vocabulary().size()).toArray();
      trace.begin(ids);
      session.evaluate(ids, scored);
      return new Seen(trace.analysis(), tracer.activations().layers());
    }
  }

  @TestFactory
  Stream<DynamicTest> everyLayerRestsOnAllTokensOrIsMarked() {
    return Architectures.all().stream()
        .map(
            file ->
                dynamicTest(
                    file.getFileName().toString(),
                    () -> {
                      for (boolean scored : new boolean[] {true, false}) {
                        require(run(file, Analysed.exact(), scored), scored);
                      }
                    }));
  }

  private static void require(Seen seen, boolean scored) {
    Map<Integer, AttentionLayer> layers = seen.analysis().attentionWeights();
    for (AttentionLayer layer : layers.values()) {
      for (AttentionLayer.Head head : layer.heads().values()) {
        assertThat(head.rows()).isEqualTo(TOKENS);
        if (head.outputNorm() != null) {
          assertThat(head.outputNorm().rows()).isEqualTo(TOKENS);
        }
      }
    }
    Map<Integer, LayerFlow> flows = seen.analysis().attentionFlow().layerFlowStats();
    flows.forEach((layer, flow) -> assertThat(flow.rows()).isEqualTo(TOKENS));
    Set<Integer> marked = new TreeSet<>();
    for (LayerActivationTrace layer : seen.layers()) {
      if (layer.tokens() < TOKENS) marked.add(layer.layer());
      // Means over fewer tokens are in no list of layers, with a reason where rows are.
      assertThat(flows.containsKey(layer.layer())).isEqualTo(layer.tokens() == TOKENS);
      if (layers.containsKey(layer.layer())) {
        assertThat(
                seen.analysis()
                    .absent()
                    .containsKey("attention_flow.layer_flow_stats." + layer.layer()))
            .isEqualTo(layer.tokens() < TOKENS);
      }
      PlaceTrace input = layer.input();
      PlaceTrace output = layer.output();
      if (input != null && output != null) {
        assertThat(output.aggregate().count())
            .isEqualTo(input.aggregate().count() / TOKENS * layer.tokens());
      }
    }
    // Some architectures make the last layer's output of all tokens, whatever is asked for.
    int last = seen.layers().size() - 1;
    assertThat(marked).isSubsetOf(scored ? Set.of() : Set.of(last));
    assertThat(seen.layers().get(last).tokens()).isIn(1L, (long) TOKENS);
  }

  /** Means over tokens, none of which weighs more for the batch it came in. */
  @Test
  void nothingDependsOnTheBatches() {
    for (String model : List.of("rand-qwen2-f32", "rand-gpt2-f32")) {
      for (boolean scored : new boolean[] {true, false}) {
        var flows = new ArrayList<Map<Integer, LayerFlow>>();
        var ratios = new ArrayList<List<Double>>();
        for (int ubatch : new int[] {512, 1, 7}) {
          Seen seen =
              run(
                  Path.of("models", model + ".gguf"),
                  Analysed.exact().withBatch(512, ubatch),
                  scored);
          flows.add(seen.analysis().attentionFlow().layerFlowStats());
          ratios.add(
              seen.layers().stream()
                  .flatMap(l -> Stream.of((double) l.tokens(), l.residualRatio(), l.cosine()))
                  .toList());
        }
        assertThat(flows.getFirst()).hasSize(scored ? 3 : 2);
        for (int i = 1; i < flows.size(); i++) {
          assertThat(flows.get(i).keySet()).isEqualTo(flows.getFirst().keySet());
          for (var layer : new TreeMap<>(flows.getFirst()).entrySet()) {
            LayerFlow one = layer.getValue();
            LayerFlow other = flows.get(i).get(layer.getKey());
            assertThat(other).isNotNull();
            near(other.transformationRatio(), one.transformationRatio());
            near(other.retentionRatio(), one.retentionRatio());
            near(other.incomingFlow(), one.incomingFlow());
            near(other.outgoingFlow(), one.outgoingFlow());
            assertThat(other.rows()).isEqualTo(one.rows());
          }
          for (int k = 0; k < ratios.getFirst().size(); k++) {
            near(ratios.get(i).get(k), ratios.getFirst().get(k));
          }
        }
      }
    }
  }

  private static void near(double actual, double wanted) {
    assertThat(actual).isEqualTo(wanted, within(1e-4 * Math.max(1e-3, Math.abs(wanted))));
  }
}
