package org.modeltracer.lens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.Weights;

/** Every score of every layer and position against double precision, from the states it saw. */
class ReferenceLensTest {
  private static final double TIGHT = 2e-5;

  @TempDir private Path folder;

  static List<Arguments> goldens() {
    return GoldenLensTest.goldens().stream()
        .filter(arguments -> ((Golden) arguments.get()[1]).prompt().equals("short"))
        .toList();
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void everyScore(LlamaRuntime runtime, Golden golden) {
    Path file = golden.file();
    if (!golden.exactFile()) {
      file = new Weights(file).writeAsF32(folder.resolve("f32.gguf"));
    }
    int vocabulary = golden.size("logits", 1);
    List<Integer> tracked = IntStream.range(0, vocabulary).boxed().toList();
    var lens = new LensOptions(true, vocabulary, tracked);
    var run = LensRun.of(runtime, file, golden.ids(), lens, 1);
    assertThat(run.readings()).hasSize(golden.ids().length);
    var reference = new ReferenceLens(file);
    for (PositionReading reading : run.readings()) {
      var all = new ArrayList<double[]>();
      run.states().get(reading.position()).forEach(state -> all.add(reference.scores(state)));
      assertThat(reading.layers()).hasSameSizeAs(all);
      for (TokenEvolution token : reading.tracked()) {
        for (int i = 0; i < all.size(); i++) {
          double[] scores = all.get(i);
          double error = TIGHT * Math.max(1, Math.abs(scores[token.id()]));
          assertThat(token.logits().get(i)).isCloseTo(scores[token.id()], within(error));
          assertThat(token.probabilities().get(i))
              .isCloseTo(probability(scores, token.id()), within(TIGHT));
          assertThat(token.ranks().get(i))
              .isBetween(
                  above(scores, scores[token.id()] + 2 * error),
                  above(scores, scores[token.id()] - 2 * error));
        }
      }
      assertDivergences(reading, all);
    }
    assertNext(run, golden.ids());
  }

  private static void assertDivergences(PositionReading reading, List<double[]> all) {
    double[] last = all.getLast();
    for (int i = 0; i < all.size(); i++) {
      double kl = 0;
      double entropy = 0;
      for (int v = 0; v < last.length; v++) {
        double p = probability(last, v);
        double q = probability(all.get(i), v);
        kl += p > 0 ? p * Math.log(p / q) : 0;
        entropy -= q > 0 ? q * Math.log(q) : 0;
      }
      LayerReading layer = reading.layers().get(i);
      assertThat(layer.klToFinal()).isCloseTo(kl, within(1e-4));
      assertThat(layer.entropy()).isCloseTo(entropy, within(1e-4));
    }
  }

  private static void assertNext(LensRun run, int[] ids) {
    for (PositionReading reading : run.readings()) {
      int position = reading.position();
      assertThat(reading.token()).isEqualTo(ids[position]);
      if (position + 1 < ids.length) {
        assertThat(reading.next()).isEqualTo(ids[position + 1]);
      } else {
        // Greedy: what was chosen is what the model finds most likely.
        assertThat(reading.next()).isEqualTo(reading.layers().getLast().top().getFirst().id());
      }
    }
  }

  private static int above(double[] scores, double limit) {
    return (int) Arrays.stream(scores).filter(x -> x > limit).count();
  }

  private static double probability(double[] scores, int token) {
    double sum = 0;
    for (double x : scores) {
      sum += Math.exp(x - scores[token]);
    }
    return 1 / sum;
  }
}
