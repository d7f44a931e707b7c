package org.modeltracer.lens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Sample;
import org.modeltracer.testing.TinyModels;

/** Every architecture and quantization at hand: the last layer's lens is the model's own output. */
class ArchitectureLensTest {
  private static final int PROMPT = 20;
  private static final int GENERATED = 3;
  private static final double RELATIVE = 1e-4;

  @TempDir private Path folder;

  static Stream<LlamaRuntime> runtimes() {
    return Runtimes.all().map(named -> named.getPayload());
  }

  /** Their vocabularies are of a type that b4916 does not know. */
  @TestFactory
  Stream<DynamicTest> architecturesOfTheirOwnFiles() {
    return runtimes()
        .filter(runtime -> !runtime.version().equals("b4916"))
        .flatMap(
            runtime -> Sample.of(Architectures.all(), 8).stream().map(file -> test(runtime, file)));
  }

  @TestFactory
  Stream<DynamicTest> architecturesMadeOnTheSpot() {
    return runtimes()
        .flatMap(
            runtime ->
                TinyModels.names().stream()
                    .filter(name -> loads(runtime, name))
                    .map(name -> test(runtime, TinyModels.of(name).write(folder))));
  }

  /** b4916 ends the process over the number of layers of a gemma; BERT makes no scores. */
  private static boolean loads(LlamaRuntime runtime, String name) {
    return !name.equals("bert") && !(runtime.version().equals("b4916") && name.startsWith("gemma"));
  }

  @TestFactory
  Stream<DynamicTest> quantizations() throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.list(Path.of("models"))) {
      files = all.filter(file -> file.toString().matches(".*_[0-9K_M]+\\.gguf")).sorted().toList();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    assertThat(files).hasSizeGreaterThan(3);
    return runtimes().flatMap(runtime -> files.stream().map(file -> test(runtime, file)));
  }

  private static DynamicTest test(LlamaRuntime runtime, Path file) {
    return dynamicTest(runtime.version() + " " + file, () -> lastLayerIsTheModel(runtime, file));
  }

  private static void lastLayerIsTheModel(LlamaRuntime runtime, Path file) {
    boolean encodes = file.toString().contains("t5");
    // An encoder reads its prompt in one micro-batch; the decoder starts with a token of its own.
    int[] ids = new Random(3).ints(encodes ? 10 : PROMPT, 0, 90).toArray();
    var run = LensRun.of(runtime, file, ids, new LensOptions(true, 3, List.of()), GENERATED);
    int positions = (encodes ? 1 : PROMPT) + GENERATED - 1;
    assertThat(run.readings())
        .extracting(PositionReading::position)
        .containsExactlyElementsOf(IntStream.range(0, positions).boxed().toList());
    for (PositionReading reading : run.readings()) {
      assertThat(reading.layers())
          .extracting(LayerReading::layer)
          .hasSizeGreaterThan(2)
          .containsExactlyElementsOf(
              IntStream.range(-1, reading.layers().size() - 1).boxed().toList());
      LayerReading last = reading.layers().getLast();
      double size = Math.abs(last.top().getFirst().logit());
      assertThat(reading.difference()).as("%s", reading).isLessThan(RELATIVE * size);
      assertThat(last.rankOfFinal()).isZero();
      assertThat(last.klToFinal()).isLessThan(1e-6);
      // The lens looks at different states, and sees it.
      assertThat(reading.layers().getFirst().top()).isNotEqualTo(last.top());
    }
  }

  @ParameterizedTest
  @MethodSource("runtimes")
  void anEncoderMakesNoScores(LlamaRuntime runtime) {
    Path file = TinyModels.of("bert").write(folder);
    assertThatThrownBy(
            () ->
                LensRun.of(
                    runtime, file, new int[] {1, 2}, new LensOptions(false, 3, List.of()), 0))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("no output matrix");
  }
}
