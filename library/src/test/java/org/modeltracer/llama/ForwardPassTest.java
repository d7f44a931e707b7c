package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.ValueLayout;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Golden;

/** Logits against PyTorch, however the prompt is cut into passes. */
class ForwardPassTest {
  static Stream<Arguments> goldens() {
    return Runtimes.all()
        .flatMap(
            runtime ->
                Stream.of("tinyllama-mha", "tinyllama-gqa")
                    .flatMap(
                        model ->
                            Stream.of("short", "text64")
                                .map(
                                    prompt ->
                                        Arguments.of(
                                            runtime,
                                            Named.of(
                                                model + " " + prompt,
                                                Golden.load(model, prompt))))));
  }

  /** The reference was computed on unrounded weights, which only an F32 file still has. */
  private static double tolerance(Golden golden) {
    return golden.exactFile() ? 1e-4 : 1e-2;
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void inOneBatch(LlamaRuntime runtime, Golden golden) {
    try (LlamaModel model = runtime.open(golden.file());
        LlamaContext context = model.context(Passes.EXACT)) {
      float[][] logits = Passes.decode(context, golden.ids(), 0);
      assertThat(Passes.distance(logits, golden.logits())).isLessThan(tolerance(golden));
      assertThat(context.logits(-1).toArray(ValueLayout.JAVA_FLOAT))
          .isEqualTo(logits[logits.length - 1]);
    }
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void inUnevenMicroBatches(LlamaRuntime runtime, Golden golden) {
    try (LlamaModel model = runtime.open(golden.file());
        LlamaContext context = model.context(Passes.EXACT.withBatch(64, 13))) {
      float[][] logits = Passes.decode(context, golden.ids(), 0);
      assertThat(Passes.distance(logits, golden.logits())).isLessThan(tolerance(golden));
    }
  }

  @ParameterizedTest
  @MethodSource("goldens")
  void tokenByToken(LlamaRuntime runtime, Golden golden) {
    try (LlamaModel model = runtime.open(golden.file());
        LlamaContext context = model.context(Passes.EXACT)) {
      for (int i = 0; i < golden.ids().length; i++) {
        float[][] row = Passes.decode(context, Passes.slice(golden.ids(), i, i + 1), i);
        assertThat(Passes.distance(row[0], golden.logits()[i]))
            .as("token %d", i)
            .isLessThan(tolerance(golden));
        assertThat(context.cache().lastPosition(0)).isEqualTo(i);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void onlyTheLogitsAskedFor(LlamaRuntime runtime) {
    Golden golden = Golden.load("tinyllama-mha", "short");
    try (LlamaModel model = runtime.open(golden.file());
        LlamaContext context = model.context(Passes.EXACT)) {
      assertThatThrownBy(() -> context.logits(0))
          .isInstanceOf(LlamaException.class)
          .hasMessage("no logits at index 0 of the last batch");
      Batch batch = context.batch().clear();
      for (int i = 0; i < golden.ids().length; i++) {
        batch.add(golden.ids()[i], i, 0, i % 5 == 3);
      }
      assertThat(batch.size()).isEqualTo(golden.ids().length);
      assertThat(batch.token(8)).isEqualTo(golden.ids()[8]);
      assertThat(batch.position(8)).isEqualTo(8);
      assertThat(batch.sequence(8)).isZero();
      assertThat(batch.output(8)).isTrue();
      context.decode(batch);
      for (int i = 0; i < golden.ids().length; i++) {
        int index = i;
        if (batch.output(i)) {
          float[] row = context.logits(i).toArray(ValueLayout.JAVA_FLOAT);
          assertThat(Passes.distance(row, golden.logits()[i])).isLessThan(tolerance(golden));
        } else {
          assertThatThrownBy(() -> context.logits(index))
              .hasMessage("no logits at index " + index + " of the last batch");
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void smallerFormatsLieFurtherOff(LlamaRuntime runtime) {
    Golden golden = Golden.load("tinyllama-gqa", "text64");
    double nearer = 1e-4;
    for (String format : new String[] {"f16", "Q8_0", "Q4_K_M", "Q2_K"}) {
      try (LlamaModel model = runtime.open(Golden.model("tinyllama-gqa-" + format + ".gguf"));
          LlamaContext context = model.context(Passes.EXACT)) {
        float[][] logits = Passes.decode(context, golden.ids(), 0);
        double distance = Passes.distance(logits, golden.logits());
        assertThat(distance).as(format).isBetween(nearer, 20.0);
        nearer = distance;
      }
    }
    assertThat(nearer).isGreaterThan(1);
  }
}
