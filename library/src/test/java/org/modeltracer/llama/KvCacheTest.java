package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Golden;

/** Cache operations against passes that compute everything afresh. */
class KvCacheTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";
  private static final Golden GOLDEN = Golden.load("tinyllama-mha", "text64");
  private static final int[] IDS = GOLDEN.ids();
  private static final double CLOSE = 1e-4;

  private static void on(
      LlamaRuntime runtime, ContextOptions options, Consumer<LlamaContext> test) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(options)) {
      test.accept(context);
    }
  }

  private static float[] next(LlamaContext context, int token, int position, int sequence) {
    context.decode(context.batch().clear().add(token, position, sequence, true));
    return context.logits(0).toArray(ValueLayout.JAVA_FLOAT);
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void lastPosition(LlamaRuntime runtime) {
    on(
        runtime,
        Passes.EXACT,
        context -> {
          KvCache cache = context.cache();
          assertThat(cache.exists()).isTrue();
          assertThat(cache.lastPosition(0)).isEqualTo(-1);
          next(context, IDS[0], 0, 0);
          assertThat(cache.lastPosition(0)).isZero();
          Passes.decode(context, Passes.slice(IDS, 1, 10), 1);
          assertThat(cache.lastPosition(0)).isEqualTo(9);
          assertThat(cache.remove(0, 4, KvCache.END)).isTrue();
          assertThat(cache.lastPosition(0)).isEqualTo(3);
          cache.clear();
          assertThat(cache.lastPosition(0)).isEqualTo(-1);
        });
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aRemovedEndCanBeWrittenAnew(LlamaRuntime runtime) {
    on(
        runtime,
        Passes.EXACT,
        context -> {
          Passes.decode(context, Passes.slice(IDS, 0, 30), 0);
          // Other tokens where the true ones belong, taken back.
          Passes.decode(context, new int[] {9, 9, 9, 9}, 30);
          assertThat(context.cache().remove(0, 30, KvCache.END)).isTrue();
          float[][] rest = Passes.decode(context, Passes.slice(IDS, 30, 64), 30);
          assertThat(Passes.distance(rest[33], GOLDEN.logits()[63])).isLessThan(CLOSE);
        });
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aPartMovedAwayChangesTheLogitsAndMovedBackRestoresThem(LlamaRuntime runtime) {
    on(
        runtime,
        Passes.EXACT,
        context -> {
          KvCache cache = context.cache();
          Passes.decode(context, Passes.slice(IDS, 0, 63), 0);
          assertThat(cache.canShift()).isTrue();
          cache.shift(0, 30, KvCache.END, 50);
          assertThat(cache.lastPosition(0)).isEqualTo(112);
          float[] away = next(context, IDS[63], 113, 0);
          assertThat(Passes.distance(away, GOLDEN.logits()[63])).isGreaterThan(1e-2);

          assertThat(cache.remove(0, 113, KvCache.END)).isTrue();
          cache.shift(0, 80, KvCache.END, -50);
          float[] back = next(context, IDS[63], 63, 0);
          assertThat(Passes.distance(back, GOLDEN.logits()[63])).isLessThan(1e-3);
        });
  }

  /** RoPE makes attention a matter of distances: all positions moved together change nothing. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aShiftOfEverythingKeepsTheLogits(LlamaRuntime runtime) {
    on(
        runtime,
        Passes.EXACT,
        context -> {
          Passes.decode(context, Passes.slice(IDS, 0, 63), 0);
          context.cache().shift(0, 0, KvCache.END, 40);
          assertThat(context.cache().lastPosition(0)).isEqualTo(102);
          float[] moved = next(context, IDS[63], 103, 0);
          assertThat(Passes.distance(moved, GOLDEN.logits()[63])).isLessThan(1e-3);
        });
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void keysThatLlamaCppCannotRotateAreNotShifted(LlamaRuntime runtime) {
    ContextOptions options = Passes.EXACT.withCacheTypes(CacheType.BF16, CacheType.F16);
    on(
        runtime,
        options,
        context -> {
          Passes.decode(context, Passes.slice(IDS, 0, 20), 0);
          assertThat(context.cache().canShift()).isFalse();
          assertThatThrownBy(() -> context.cache().shift(0, 0, KvCache.END, 5))
              .isInstanceOf(LlamaException.class)
              .hasMessage("the positions of this model's cache cannot be moved");
          assertThat(next(context, IDS[20], 20, 0)).hasSize(384);
        });
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aCopiedSequenceGoesItsOwnWay(LlamaRuntime runtime) {
    for (boolean unified : new boolean[] {true, false}) {
      on(
          runtime,
          Passes.EXACT.withContextTokens(512).withSequences(2, unified),
          context -> {
            KvCache cache = context.cache();
            Passes.decode(context, Passes.slice(IDS, 0, 40), 0);
            assertThat(cache.lastPosition(1)).isEqualTo(-1);
            cache.copy(0, 1, 0, KvCache.END);
            assertThat(cache.lastPosition(1)).isEqualTo(39);
            next(context, 9, 40, 0);
            float[] row = {};
            for (int i = 40; i < 64; i++) {
              row = next(context, IDS[i], i, 1);
            }
            assertThat(Passes.distance(row, GOLDEN.logits()[63])).isLessThan(CLOSE);
            assertThat(cache.lastPosition(0)).isEqualTo(40);
            assertThat(cache.lastPosition(1)).isEqualTo(63);
          });
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aPartIsCopiedWhereSequencesShareCells(LlamaRuntime runtime) {
    on(
        runtime,
        Passes.EXACT.withSequences(2, true),
        context -> {
          Passes.decode(context, Passes.slice(IDS, 0, 40), 0);
          context.cache().copy(0, 1, 0, 20);
          assertThat(context.cache().lastPosition(1)).isEqualTo(19);
          float[] row = {};
          for (int i = 20; i < 64; i++) {
            row = next(context, IDS[i], i, 1);
          }
          assertThat(Passes.distance(row, GOLDEN.logits()[63])).isLessThan(CLOSE);
        });
    boolean streams = runtime.layouts().context().field("kv_unified").isPresent();
    if (streams) {
      on(
          runtime,
          Passes.EXACT.withContextTokens(512).withSequences(2, false),
          context -> {
            Passes.decode(context, Passes.slice(IDS, 0, 40), 0);
            assertThatThrownBy(() -> context.cache().copy(0, 1, 0, 20))
                .isInstanceOf(LlamaException.class)
                .hasMessageStartingWith("only a whole sequence can be copied");
          });
    }
  }

  /** Two prompts in one batch, each as if alone. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void sequencesDoNotSeeEachOther(LlamaRuntime runtime) {
    Golden other = Golden.load("tinyllama-mha", "short");
    for (boolean unified : new boolean[] {true, false}) {
      on(
          runtime,
          Passes.EXACT.withContextTokens(512).withSequences(2, unified),
          context -> {
            Batch batch = context.batch().clear();
            for (int i = 0; i < 22; i++) {
              batch.add(other.ids()[i], i, 1, true).add(IDS[i], i, 0, true);
            }
            context.decode(batch);
            float[][] rows = Passes.rows(context, 44);
            for (int i = 0; i < 22; i++) {
              assertThat(Passes.distance(rows[2 * i], other.logits()[i])).isLessThan(CLOSE);
              assertThat(Passes.distance(rows[2 * i + 1], GOLDEN.logits()[i])).isLessThan(CLOSE);
            }
          });
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aSequenceTheContextDoesNotHaveIsRefused(LlamaRuntime runtime) {
    on(
        runtime,
        Passes.EXACT,
        context -> {
          KvCache cache = context.cache();
          for (int s : new int[] {-1, 1, 100_000}) {
            String message = "sequence " + s + " of a context that was set up for 1";
            assertThatThrownBy(() -> cache.lastPosition(s)).hasMessage(message);
            assertThatThrownBy(() -> cache.remove(s, 0, 1)).hasMessage(message);
            assertThatThrownBy(() -> cache.copy(0, s, 0, 1)).hasMessage(message);
            assertThatThrownBy(() -> cache.shift(s, 0, 1, 1))
                .isInstanceOf(LlamaException.class)
                .hasMessage(message);
          }
        });
  }
}
