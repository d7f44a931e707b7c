package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.llama.SamplerOptions;
import org.modeltracer.testing.Sample;
import org.modeltracer.testing.TinyModel;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Every number of the KV cache's state against books kept by brute force, on real llama.cpp. */
class CacheStateTest {
  private static final int SEQUENCES = 3;
  private static final int WINDOW = 24;
  private static final TracerConfig CONFIG =
      TracerConfig.builder().attention(true).kvCache(true).build();

  @TempDir private static Path folder;

  /** A model, its cache, and how the cache is divided. */
  record Setting(
      String model, CacheType keys, CacheType values, FlashAttention flash, boolean unified) {
    ContextOptions options(int tokens) {
      return ContextOptions.defaults()
          .withContextTokens(unified ? tokens : SEQUENCES * tokens)
          .withBatch(64, 8)
          .withSequences(SEQUENCES, unified)
          .withFlashAttention(flash)
          .withCacheTypes(keys, values);
    }

    /** Bytes of one cell in one layer: {@code width} keys and as many values. */
    long cellBytes(int width) {
      return bytes(keys, width) + bytes(values, width);
    }

    private static long bytes(CacheType type, int width) {
      return switch (type) {
        case F32 -> 4L * width;
        case F16 -> 2L * width;
        case Q8_0 -> 34L * width / 32;
        default -> throw new IllegalArgumentException(type.id());
      };
    }
  }

  static Stream<Arguments> settings() {
    return Runtimes.all()
        .flatMap(
            runtime ->
                Stream.of(
                        new Setting(
                            "llama", CacheType.F32, CacheType.F32, FlashAttention.OFF, true),
                        new Setting(
                            "llama", CacheType.F32, CacheType.F16, FlashAttention.OFF, false),
                        new Setting(
                            "llama", CacheType.F16, CacheType.F16, FlashAttention.ON, false),
                        new Setting(
                            "llama", CacheType.Q8_0, CacheType.F16, FlashAttention.OFF, true),
                        new Setting(
                            "gemma2", CacheType.F16, CacheType.F16, FlashAttention.ON, true),
                        new Setting(
                            "gemma2", CacheType.F16, CacheType.F32, FlashAttention.OFF, false))
                    // b4916 ends the process over a gemma2 of a size it does not know.
                    .filter(s -> !isOld(runtime.getPayload()) || s.model().equals("llama"))
                    .map(setting -> Arguments.of(runtime, setting)));
  }

  private static boolean isOld(LlamaRuntime runtime) {
    return runtime.version().equals("b4916");
  }

  /** Cells of the layers with a window, of the others, and bytes of one of each. */
  private record Books(List<CellLedger> ledgers, List<Long> bytesPerCell) {
    static Books of(Setting setting, boolean old, int tokens, int windowTokens) {
      int streams = setting.unified() || old ? 1 : SEQUENCES;
      int size = setting.unified() || !old ? tokens : SEQUENCES * tokens;
      var all = new CellLedger(streams, size, 0, old);
      int width = setting.model().equals("llama") ? 64 : 32;
      if (old || setting.model().equals("llama")) {
        return new Books(List.of(all), List.of(TinyModel.LAYERS * setting.cellBytes(width)));
      }
      var window = new CellLedger(streams, windowTokens, WINDOW, false);
      return new Books(
          List.of(all, window), List.of(setting.cellBytes(width), setting.cellBytes(width)));
    }
  }

  private static void with(
      LlamaRuntime runtime,
      Setting setting,
      ContextOptions context,
      Books books,
      CachePolicy policy,
      long seed,
      Consumer<CacheStateScript> work) {
    SessionOptions options =
        SessionOptions.defaults()
            .withContext(context)
            .withSampler(new SamplerOptions(2, 0, 1, (int) seed))
            .withCache(policy);
    try (LlamaModel model = runtime.open(TinyModels.of(setting.model()).write(folder));
        var tracer = new ModelTracer(CONFIG);
        TracedSession session = TracedSession.open(model, options, tracer)) {
      boolean streams = !setting.unified() && !isOld(runtime);
      work.accept(
          new CacheStateScript(
              session, tracer, seed, books.ledgers(), books.bytesPerCell(), streams, policy));
    }
  }

  @ParameterizedTest
  @MethodSource("settings")
  void everyStateIsAsBooked(LlamaRuntime runtime, Setting setting) {
    int[] sum = new int[4];
    int seeds = Sample.times(1, 4);
    for (int seed = 0; seed < seeds; seed++) {
      CachePolicy policy = CachePolicy.defaults().withReuseChunk(seed % 2 == 0 ? 0 : 3);
      with(
          runtime,
          setting,
          setting.options(256),
          Books.of(setting, isOld(runtime), 256, 256),
          policy,
          seed,
          script -> {
            for (int step = 0; step < 40; step++) {
              script.add(12);
              if (step % 2 == 0) {
                script.disturb(true);
              }
              if (step % 3 == 0) {
                script.prompt(step % 4);
              }
            }
            sum[0] += script.checked;
            sum[1] += script.reused;
            sum[2] += script.moved;
            sum[3] += script.evicting;
          });
    }
    assertThat(sum[0]).isGreaterThan(37 * seeds);
    assertThat(sum[1]).as("tokens reused").isGreaterThan(12 * seeds);
    assertThat(sum[3]).as("steps that evict").isGreaterThan(10 * seeds);
  }

  static Stream<Arguments> windowed() {
    return settings().filter(a -> ((Setting) a.get()[1]).model().equals("gemma2"));
  }

  /** A cache for windows that uses its cells again, and purges what it then would have gaps in. */
  @ParameterizedTest
  @MethodSource("windowed")
  void windowsDropTheirCells(LlamaRuntime runtime, Setting setting) {
    int tokens = setting.unified() ? 2048 : 768;
    int[] sum = {0, 0};
    int seeds = 2;
    for (int seed = 10; seed < 10 + seeds; seed++) {
      Books books = Books.of(setting, false, tokens, 256);
      with(
          runtime,
          setting,
          setting.options(tokens).withFullWindowCache(false),
          books,
          CachePolicy.defaults(),
          seed,
          script -> {
            for (int step = 0; step < 60; step++) {
              script.add(22);
              if (step % 12 == 11) {
                script.disturb(!setting.unified());
              }
              if (step % 10 == 9) {
                script.prompt(1);
              }
            }
            sum[0] += script.checked;
            sum[1] += script.dropped;
          });
    }
    assertThat(sum[0]).isGreaterThan(50 * seeds);
    assertThat(sum[1]).as("cells that windows dropped").isGreaterThan(100 * seeds);
  }

  static List<Arguments> sampledSettings() {
    return Sample.of(settings().toList(), 2);
  }

  /** Generations longer than the context, the same text again, and texts that begin with it. */
  @ParameterizedTest
  @MethodSource("sampledSettings")
  void shiftsMakeRoom(LlamaRuntime runtime, Setting setting) {
    ContextOptions context = setting.options(256).withSequences(1, true).withContextTokens(256);
    int shifted = 0;
    for (int keep : new int[] {0, 7, -1}) {
      CachePolicy policy = CachePolicy.defaults().withReuseChunk(keep == 7 ? 4 : 0).withShift(keep);
      Books books =
          Books.of(
              new Setting(setting.model(), setting.keys(), setting.values(), setting.flash(), true),
              isOld(runtime),
              256,
              256);
      int[] moved = {0};
      with(
          runtime,
          setting,
          context,
          books,
          policy,
          keep,
          script -> {
            if (!script.session.cache().canShift()) {
              return;
            }
            var random = new Random(keep);
            for (int round = 0; round < 4; round++) {
              script.run(random.ints(230 + 7 * round, 0, 5).boxed().toList(), 40);
              script.prompt(40);
            }
            moved[0] = script.moved;
          });
      shifted += moved[0];
    }
    boolean rotates = setting.keys() != CacheType.Q8_0 || isOld(runtime);
    assertThat(shifted > 10).isEqualTo(rotates);
  }
}
