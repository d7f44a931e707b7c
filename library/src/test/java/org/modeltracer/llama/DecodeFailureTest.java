package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Golden;

/** Decodes that cannot work: each says why, and the context works on. */
class DecodeFailureTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";
  private static final Golden GOLDEN = Golden.load("tinyllama-mha", "text64");

  private interface Attempt {
    void run(LlamaContext context);
  }

  private static void fails(
      LlamaRuntime runtime, LlamaException.Kind kind, String message, Attempt attempt) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT.withBatch(64, 64))) {
      assertThatThrownBy(() -> attempt.run(context))
          .isInstanceOfSatisfying(LlamaException.class, e -> assertThat(e.kind()).isEqualTo(kind))
          .hasMessageMatching(message);
      context.cache().clear();
      float[][] logits = Passes.decode(context, GOLDEN.ids(), 0);
      assertThat(Passes.distance(logits, GOLDEN.logits())).isLessThan(1e-4);
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aFullCache(LlamaRuntime runtime) {
    fails(
        runtime,
        LlamaException.Kind.DECODE,
        "llama.cpp cannot decode 64 tokens from position 256: "
            + "no room in the KV cache of 256 tokens; a larger context makes room",
        context -> {
          for (int i = 0; i <= context.contextTokens() / 64; i++) {
            context.decode(Passes.fill(context, GOLDEN.ids(), 64 * i));
          }
        });
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void anEmptyBatch(LlamaRuntime runtime) {
    fails(
        runtime,
        LlamaException.Kind.ARGUMENT,
        "0 tokens in a batch; this context takes 1 to 64",
        context -> context.decode(context.batch().clear()));
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aBatchBeyondItsRoom(LlamaRuntime runtime) {
    int[] many = Arrays.copyOf(GOLDEN.ids(), 65);
    fails(
        runtime,
        LlamaException.Kind.ARGUMENT,
        "a batch of this context holds 64 tokens",
        context -> Passes.decode(context, many, 0));
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aBatchMadeForALargerContext(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext large = model.context(Passes.EXACT)) {
      Batch batch = Passes.fill(large, Arrays.copyOf(GOLDEN.ids(), 65), 0);
      fails(
          runtime,
          LlamaException.Kind.ARGUMENT,
          "65 tokens in a batch; this context takes 1 to 64",
          context -> context.decode(batch));
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aTokenOutsideTheVocabulary(LlamaRuntime runtime) {
    for (int token : new int[] {-1, 384, Integer.MAX_VALUE}) {
      fails(
          runtime,
          LlamaException.Kind.ARGUMENT,
          "token " + token + " at index 0 of the batch is outside the vocabulary of 384 tokens",
          context -> Passes.decode(context, new int[] {token}, 0));
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aSequenceTheContextDoesNotHave(LlamaRuntime runtime) {
    for (int sequence : new int[] {-1, 1, 5000}) {
      fails(
          runtime,
          LlamaException.Kind.ARGUMENT,
          "sequence " + sequence + " at index 0 of the batch is in a context set up for 1",
          context -> context.decode(context.batch().clear().add(53, 0, sequence, true)));
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aNegativePosition(LlamaRuntime runtime) {
    fails(
        runtime,
        LlamaException.Kind.ARGUMENT,
        "position -3 at index 0 of the batch is before the first position, 0",
        context -> context.decode(context.batch().clear().add(53, -3, 0, true)));
  }
}
