package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Weights;

/** A graph of our own on the weights of a loaded model. */
class SideGraphTest {
  private static final Path FILE = Path.of("models", "tinyllama-mha-f32.gguf");
  private static final int WIDTH = 128;
  private static final int COLUMNS = 5;

  /** Operations and weights that a pass of the model showed, by name. */
  private record Shown(Map<String, Operation> operations, Map<String, Long> weights) {
    Shown() {
      this(new HashMap<>(), new HashMap<>());
    }
  }

  private static Shown show(LlamaModel model) {
    var shown = new Shown();
    var observer =
        new TensorObserver() {
          @Override
          public boolean wants(Tensor node) {
            shown.operations().putIfAbsent(node.operation().name(), node.operation());
            for (int i = 0; i < 2; i++) {
              if (node.source(i) != 0) {
                Tensor source = new Tensor(model.runtime()).at(node.source(i));
                shown.weights().put(source.name(), source.address());
              }
            }
            return false;
          }

          @Override
          public void observe(Tensor node) {}
        };
    try (LlamaContext context = model.context(ContextOptions.defaults())) {
      context.observe(observer);
      context.decode(context.batch().clear().add(1, 0, 0, true));
    }
    return shown;
  }

  private static SideGraph product(LlamaModel model, Shown shown, int columns) {
    return SideGraph.of(
        model,
        1,
        WIDTH,
        columns,
        (graph, input) ->
            graph.node(
                shown.operations().get("MUL_MAT"),
                List.of(graph.weight(shown.weights().get("output.weight")), input)));
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void multipliesByTheModelsOwnWeight(LlamaRuntime runtime) {
    float[] matrix = new Weights(FILE).get("output.weight");
    var random = new Random(4);
    try (LlamaModel model = runtime.open(FILE);
        var graph = product(model, show(model), COLUMNS);
        var arena = Arena.ofConfined()) {
      int height = Math.toIntExact(graph.result().width());
      assertThat(height).isEqualTo(384);
      MemorySegment in = arena.allocate(4L * WIDTH * COLUMNS, 4);
      MemorySegment out = arena.allocate(4L * height * COLUMNS, 4);
      for (int round = 0; round < 3; round++) {
        for (int i = 0; i < WIDTH * COLUMNS; i++) {
          in.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
        }
        graph.compute(in, out);
        for (int c = 0; c < COLUMNS; c++) {
          for (int r = 0; r < height; r++) {
            double sum = 0;
            for (int i = 0; i < WIDTH; i++) {
              sum += matrix[r * WIDTH + i] * in.getAtIndex(ValueLayout.JAVA_FLOAT, c * WIDTH + i);
            }
            assertThat((double) out.getAtIndex(ValueLayout.JAVA_FLOAT, c * height + r))
                .isCloseTo(sum, within(1e-4));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void refusesWhatGgmlWouldEndTheProcessOver(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(FILE)) {
      Shown shown = show(model);
      Operation product = shown.operations().get("MUL_MAT");
      Operation norm = shown.operations().get("RMS_NORM");
      long output = shown.weights().get("output.weight");
      refused(model, WIDTH, (g, x) -> x, "computes nothing");
      refused(model, WIDTH, (g, x) -> g.node(norm, List.of(g.weight(output))), "RMS_NORM");
      refused(model, WIDTH, (g, x) -> g.node(product, List.of(x, x)), "MUL_MAT");
      refused(model, 64, (g, x) -> g.node(product, List.of(g.weight(output), x)), "MUL_MAT");
      refused(model, WIDTH, (g, x) -> g.node(norm, List.of(x, x)), "RMS_NORM of 2");
      Operation add = shown.operations().get("ADD");
      refused(model, WIDTH, (g, x) -> g.node(add, List.of(x, g.weight(output))), "ADD");
      Operation rope = shown.operations().get("ROPE");
      refused(model, WIDTH, (g, x) -> g.node(rope, List.of(x)), "ROPE");
      refused(
          model,
          WIDTH,
          (g, x) -> {
            var all = new ArrayList<SideGraph.Value>(List.of(x));
            while (true) {
              all.add(g.node(norm, List.of(all.getLast())));
            }
          },
          "more than 128");
      refused(
          model, WIDTH, (g, x) -> g.node(product, List.of(g.weight(x.tensor()), x)), "no matrix");
    }
  }

  private static void refused(LlamaModel model, int width, SideGraph.Recipe recipe, String why) {
    assertThatThrownBy(() -> SideGraph.of(model, 1, width, COLUMNS, recipe))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("cannot be computed on the model's weights")
        .hasMessageContaining(why);
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void isNotUsedPastItsEnd(LlamaRuntime runtime) {
    LlamaModel model = runtime.open(FILE);
    try (var arena = Arena.ofConfined();
        SideGraph orphan = product(model, show(model), COLUMNS)) {
      MemorySegment in = arena.allocate(4L * WIDTH * COLUMNS, 4);
      MemorySegment out = arena.allocate(4L * 384 * COLUMNS, 4);
      orphan.compute(in, out);
      assertThatThrownBy(() -> orphan.compute(in.asSlice(4), out))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> orphan.compute(in, out.asSlice(4)))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> orphan.compute(MemorySegment.ofArray(new float[WIDTH * 5]), out))
          .isInstanceOf(IllegalArgumentException.class);
      SideGraph closed = product(model, show(model), COLUMNS);
      closed.close();
      closed.close();
      assertThatThrownBy(() -> closed.compute(in, out)).hasMessageContaining("closed");
      model.close();
      assertThatThrownBy(() -> orphan.compute(in, out)).hasMessageContaining("closed");
    }
  }
}
