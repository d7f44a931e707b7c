package org.modeltracer.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.cache.CacheStatistics.Kind;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.llama.Sabotage;
import org.modeltracer.llama.Tensor;
import org.modeltracer.model.RunningStats;
import org.modeltracer.model.Site;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.Listening;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** What is read of the cells, against the keys and values that went in, and bytes put there. */
class CacheContentsTest {
  private static final int TOKENS = 21;

  @TempDir private static Path folder;

  static Stream<Arguments> settings() {
    return Runtimes.all()
        .flatMap(
            runtime ->
                Stream.of(
                    Arguments.of(runtime, CacheType.F32, FlashAttention.OFF),
                    Arguments.of(runtime, CacheType.F16, FlashAttention.OFF),
                    Arguments.of(runtime, CacheType.F16, FlashAttention.ON),
                    Arguments.of(runtime, CacheType.Q8_0, FlashAttention.ON)));
  }

  private static SessionOptions options(CacheType type, FlashAttention flash) {
    return SessionOptions.defaults()
        .withContext(
            ContextOptions.defaults()
                .withContextTokens(512)
                .withBatch(64, 8)
                .withSequences(2, false)
                .withFlashAttention(flash)
                .withCacheTypes(type, type));
  }

  private static void feed(TracedSession session, int sequence) {
    session.pass(
        batch -> {
          for (int i = 0; i < TOKENS; i++) {
            batch.add((7 * i + sequence) % 90, i, sequence, true);
          }
        });
  }

  @ParameterizedTest
  @MethodSource("settings")
  void statisticsAreThoseOfWhatWentIn(LlamaRuntime runtime, CacheType type, FlashAttention flash) {
    try (LlamaModel model = runtime.open(TinyModels.of("llama").write(folder));
        var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session = TracedSession.open(model, options(type, flash), tracer)) {
      Map<String, RunningStats> wanted = new HashMap<>();
      session.listen(
          Listening.rows(
              Set.of(Site.KEY, Site.VALUE),
              (place, sequence, position, values, offset, width) -> {
                if (sequence == 0 && position < 5 || sequence == 1) {
                  Kind part = place.site() == Site.KEY ? Kind.K : Kind.V;
                  wanted
                      .computeIfAbsent(part + "" + place.layer(), p -> new RunningStats())
                      .add(values, offset, width);
                }
              }));
      feed(session, 0);
      feed(session, 1);
      session.cache().remove(0, 5, CellMap.END);
      CacheStatistics read = session.cache().statistics();
      assertThat(read.poisonedCells()).isZero();
      assertThat(read.layers()).hasSize(2 * session.layers().size()).hasSize(wanted.size());
      double tolerance = type == CacheType.F32 ? 1e-6 : type == CacheType.F16 ? 4e-3 : 5e-2;
      for (CacheStatistics.Part part : read.layers()) {
        var want = wanted.get(part.part() + "" + part.layer()).snapshot();
        assertThat(part.cells()).isEqualTo(TOKENS + 5);
        assertThat(part.type()).isEqualTo(type.id());
        assertThat(part.stats().count()).isEqualTo(want.count());
        assertThat(part.stats().min()).isCloseTo(want.min(), within(tolerance));
        assertThat(part.stats().max()).isCloseTo(want.max(), within(tolerance));
        assertThat(part.stats().mean()).isCloseTo(want.mean(), within(tolerance));
        assertThat(part.stats().std()).isCloseTo(want.std(), within(tolerance));
      }
      // A copied stream's data is moved when the next pass begins, and is told at once.
      session.cache().copy(1, 0, 0, CellMap.END);
      List<CacheStatistics.Part> copied = session.cache().statistics().layers();
      session.pass(batch -> batch.add(1, TOKENS, 1, true));
      session.cache().remove(1, TOKENS, CellMap.END);
      List<CacheStatistics.Part> done = session.cache().statistics().layers();
      assertThat(copied).isEqualTo(done);
    }
  }

  @ParameterizedTest
  @MethodSource("settings")
  void poisonedCellsAreNamed(LlamaRuntime runtime, CacheType type, FlashAttention flash) {
    try (LlamaModel model = runtime.open(TinyModels.of("llama").write(folder));
        var tracer = new ModelTracer(TracerConfig.lightweight());
        TracedSession session = TracedSession.open(model, options(type, flash), tracer)) {
      feed(session, 0);
      var sabotage = new Sabotage(runtime);
      Map<String, Tensor> leaves = sabotage.leaves(session.context(), TOKENS);
      int key = 3;
      int value = 11;
      poison(sabotage, leaves.get("cache_k_l0"), type, key, false);
      poison(sabotage, leaves.get("cache_v_l1"), type, value, flash == FlashAttention.OFF);
      CacheStatistics read = session.readCache();
      assertThat(read.poisonedCells()).isEqualTo(2);
      CacheStatistics.PoisonedCell first = read.poisoned().getFirst();
      assertThat(first.part() + "" + first.layer()).isEqualTo("K0");
      assertThat(List.of(first.cell(), first.position(), first.forward()))
          .isEqualTo(List.of(key, key, 0));
      assertThat(first.sequences()).containsExactly(0);
      assertThat(read.poisoned().getLast().part()).isEqualTo(Kind.V);
      assertThat(read.poisoned().getLast().position()).isEqualTo(value);

      List<Anomaly> anomalies = tracer.anomalies();
      assertThat(anomalies).hasSize(2).allMatch(a -> a.kind() == AnomalyKind.NAN);
      assertThat(anomalies.getFirst().site()).isEqualTo(Site.KEY_CACHE);
      assertThat(anomalies.getLast().site()).isEqualTo(Site.VALUE_CACHE);
      assertThat(anomalies)
          .allMatch(a -> a.rootCause() != null && a.rootCause().cause() == Cause.POISONED_KV);
      assertThat(SummarySchema.errors(tracer.summaryToJson())).isEmpty();
      session.cache().remove(0, key, key + 1);
      assertThat(session.cache().statistics().poisonedCells()).isEqualTo(1);
    }
  }

  /** Puts a NaN into a cell: one value, or the scale of a block. */
  private static void poison(
      Sabotage sabotage, Tensor tensor, CacheType type, int cell, boolean transposed) {
    // Older caches are flat: 64 values a cell, and as many cells as the context.
    int row = 64;
    long cells = tensor.ne(1) > 1 ? tensor.ne(1) : tensor.elements() / row;
    long element = transposed ? 2 * cells + cell : (long) cell * row;
    if (type == CacheType.F32) {
      sabotage.write(tensor.address(), 4 * element, bytes(4, 0x7fc00000));
    } else if (type == CacheType.F16) {
      sabotage.write(tensor.address(), 2 * element, bytes(2, 0x7e00));
    } else {
      sabotage.write(tensor.address(), element / 32 * 34, bytes(2, 0x7e00));
    }
  }

  private static byte[] bytes(int n, int value) {
    ByteBuffer buffer = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value);
    return Arrays.copyOf(buffer.array(), n);
  }
}
