package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.testing.Faults;
import org.modeltracer.testing.Golden;

class LlamaModelTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";

  @TempDir Path folder;

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void whatAModelSaysOfItself(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(Golden.model("tinyllama-gqa-f16.gguf"))) {
      assertThat(model.layers()).isEqualTo(4);
      assertThat(model.heads()).isEqualTo(8);
      assertThat(model.kvHeads()).isEqualTo(2);
      assertThat(model.width()).isEqualTo(256);
      assertThat(model.trainedContext()).isEqualTo(256);
      assertThat(model.hasDecoder()).isTrue();
      assertThat(model.hasEncoder()).isFalse();
      assertThat(model.parameters()).isBetween(1_000_000L, 2_000_000L);
      assertThat(model.bytes()).isBetween(2 * model.parameters(), 3 * model.parameters());
      assertThat(model.file()).hasFileName("tinyllama-gqa-f16.gguf");
      assertThat(model.runtime()).isSameAs(runtime);
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aMissingFile(LlamaRuntime runtime) {
    Path missing = folder.resolve("missing.gguf");
    assertThatThrownBy(() -> runtime.open(missing))
        .isInstanceOfSatisfying(
            LlamaException.class, e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.MODEL))
        .hasMessage(missing + ": no such file, or no permission to read it");
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aTruncatedFileFailsInLlamaCppsOwnWords(LlamaRuntime runtime) throws IOException {
    Path file = Faults.make("f08_truncated_data", folder);
    assertThatThrownBy(() -> runtime.open(file))
        .isInstanceOf(LlamaException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageContaining("is not within the file bounds, model is corrupted or incomplete")
        .hasMessageNotContaining("\n");
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aFileThatIsNoGgufFailsInLlamaCppsOwnWords(LlamaRuntime runtime) throws IOException {
    Path file = Faults.make("f10_wrong_magic", folder);
    assertThatThrownBy(() -> runtime.open(file))
        .isInstanceOf(LlamaException.class)
        .hasMessageStartingWith(file + ": ")
        // b4916 writes the reason to stderr itself; later ones say it through the log.
        .hasMessageMatching(".*: (invalid magic characters: 'GGUX'|failed to load model from).*");
    Path empty = Files.createFile(folder.resolve("empty.gguf"));
    assertThatThrownBy(() -> runtime.open(empty))
        .isInstanceOf(LlamaException.class)
        .hasMessageStartingWith(empty + ": ");
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void theSecondFailureTellsItsOwnReason(LlamaRuntime runtime) throws IOException {
    Path wrong = Faults.make("f10_wrong_magic", folder);
    Path cut = Faults.make("f08_truncated_data", folder);
    assertThatThrownBy(() -> runtime.open(wrong)).hasMessageContaining("magic");
    assertThatThrownBy(() -> runtime.open(cut))
        .isInstanceOf(LlamaException.class)
        .hasMessageNotContaining("magic");
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aHeaderThatWouldEndTheProcessNeverReachesIt(LlamaRuntime runtime) throws IOException {
    Path blocks = Faults.make("f11c_block_count_1000", folder);
    assertThatThrownBy(() -> runtime.open(blocks))
        .isInstanceOf(GgufException.class)
        .hasMessageContaining("block_count is 1000");
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void checkTensorsRejectsANanWeight(LlamaRuntime runtime) throws IOException {
    Path file = Faults.make("f01_nan_ffn_down_l2", folder);
    ModelOptions checking = ModelOptions.defaults().withCheckTensors(true);
    assertThatThrownBy(() -> runtime.open(file, checking))
        .isInstanceOf(LlamaException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageContaining("tensor 'blk.2.ffn_down.weight' has invalid data");
    runtime.open(file).close();
    runtime.open(Golden.model(Passes.MHA), checking).close();
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void progressRisesToTheEnd(LlamaRuntime runtime) {
    var shares = new ArrayList<Double>();
    ModelOptions options = ModelOptions.defaults().withProgress(shares::add);
    runtime.open(Golden.model(Passes.MHA), options).close();
    assertThat(shares).hasSizeGreaterThan(2).isSorted();
    assertThat(shares.getFirst()).isBetween(0.0, 0.1);
    assertThat(shares.getLast()).isEqualTo(1.0);
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void progressCanCancelAtAnyMoment(LlamaRuntime runtime) {
    for (double at : new double[] {0, 0.5, 1}) {
      ModelOptions options = ModelOptions.defaults().withProgress(share -> share < at);
      assertThatThrownBy(() -> runtime.open(Golden.model(Passes.MHA), options))
          .isInstanceOfSatisfying(
              LlamaException.class,
              e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.CANCELLED))
          .hasMessage(Golden.model(Passes.MHA) + ": loading was cancelled");
    }
    runtime.open(Golden.model(Passes.MHA)).close();
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void whatProgressThrowsComesOut(LlamaRuntime runtime) {
    List<Throwable> thrown =
        List.of(new IllegalStateException("listener"), new AssertionError("listener"));
    for (Throwable failure : thrown) {
      ModelOptions options =
          ModelOptions.defaults()
              .withProgress(
                  share -> {
                    if (failure instanceof Error error) {
                      throw error;
                    }
                    throw (RuntimeException) failure;
                  });
      assertThatThrownBy(() -> runtime.open(Golden.model(Passes.MHA), options)).isSameAs(failure);
    }
    runtime.open(Golden.model(Passes.MHA)).close();
  }
}
