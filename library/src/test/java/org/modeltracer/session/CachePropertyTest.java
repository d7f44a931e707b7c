package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.cache.CellMap;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * Weights are told by token position and sequence, whatever happened to the cache before: keys
 * against a record of tokens, weights against computing the same tokens afresh.
 */
class CachePropertyTest {
  private static final int SEQUENCES = 3;
  private static final int WINDOW = 24;

  @TempDir private static Path folder;

  /** Models with positions in their graph, and without; one stream of cells, and several. */
  static Stream<Arguments> settings() {
    return Runtimes.all()
        .flatMap(
            runtime ->
                Stream.of("llama", "bloom")
                    .flatMap(
                        model ->
                            Stream.of(true, false)
                                .map(unified -> Arguments.of(runtime, model, unified))));
  }

  static ContextOptions options(boolean unified) {
    return ContextOptions.defaults()
        .withContextTokens(unified ? 256 : SEQUENCES * 256)
        .withBatch(64, 8)
        .withSequences(SEQUENCES, unified)
        .withFlashAttention(FlashAttention.OFF)
        .withCacheTypes(CacheType.F32, CacheType.F32);
  }

  @ParameterizedTest
  @MethodSource("settings")
  void rowsAreByPosition(LlamaRuntime runtime, String name, boolean unified) {
    // b4916 has one stream of cells only.
    boolean shared = unified || runtime.version().equals("b4916");
    Map<String, Integer> done = new HashMap<>();
    try (LlamaModel model = runtime.open(TinyModels.of(name).write(folder))) {
      for (int seed = 0; seed < 6; seed++) {
        try (var tracer = new ModelTracer(TracerConfig.full());
            TracedSession session = open(model, options(unified), tracer)) {
          Seen seen = Seen.of(session, tracer);
          var script = new CacheScript(session, seen, seed, shared, 0, Set.of(), 6);
          for (int step = 0; step < 60; step++) {
            script.add();
            if (step % 2 == 1) {
              script.disturb();
            }
          }
          List<CacheScript.Outcome> outcomes = script.finish();
          done.merge("passes", script.passes, Integer::sum);
          done.merge("shifts", script.shifts, Integer::sum);
          done.merge("copies", script.copies, Integer::sum);
          done.merge("compared", compare(model, outcomes, 1e-4), Integer::sum);
        }
      }
    }
    assertThat(done.get("passes")).isGreaterThan(200);
    assertThat(done.get("shifts")).isGreaterThan(10);
    assertThat(done.get("copies")).isGreaterThan(20);
    assertThat(done.get("compared")).isGreaterThan(2);
  }

  static TracedSession open(LlamaModel model, ContextOptions context, ModelTracer tracer) {
    return TracedSession.open(model, SessionOptions.defaults().withContext(context), tracer);
  }

  /** Last rows against a fresh context; only the first layer's where tokens were taken out. */
  static int compare(LlamaModel model, List<CacheScript.Outcome> outcomes, double tolerance) {
    ContextOptions alone = options(true).withSequences(1, true);
    try (var tracer = new ModelTracer(TracerConfig.full());
        TracedSession fresh = open(model, alone, tracer)) {
      Seen seen = Seen.of(fresh, tracer);
      for (CacheScript.Outcome outcome : outcomes) {
        fresh.cache().clear();
        seen.clear();
        fresh.evaluate(outcome.ids(), false);
        outcome
            .rows()
            .forEach(
                (id, row) -> {
                  var same = new Seen.RowId(id.layer(), id.head(), 0, id.query());
                  if (id.layer() == 0 || outcome.whole()) {
                    Seen.requireNear(id, row, seen.rows.get(same), tolerance);
                  }
                });
      }
    }
    return outcomes.size();
  }

  /** Cells of a small cache are used again while a long text goes on. */
  @ParameterizedTest
  @MethodSource("windows")
  void windowsDropCells(LlamaRuntime runtime, boolean unified) {
    ContextOptions options =
        options(unified)
            .withContextTokens(unified ? 2048 : SEQUENCES * 1024)
            .withFullWindowCache(false);
    try (LlamaModel model = runtime.open(TinyModels.of("gemma2").write(folder));
        var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session = open(model, options, tracer)) {
      Seen seen = Seen.of(session, tracer);
      var script = new CacheScript(session, seen, 1, unified, WINDOW, Set.of(0), 20);
      for (int step = 0; step < 60; step++) {
        script.add();
      }
      assertThat(script.refused).isZero();
      assertThat(script.finish().stream().mapToInt(o -> o.ids().length).max().orElse(0))
          .as("more tokens than the window's cache has cells")
          .isGreaterThan(300);
      script.remove(1, 0, CellMap.END);
      for (int step = 0; step < 20; step++) {
        script.add();
      }
    }
  }

  static Stream<Arguments> windows() {
    return modern().flatMap(r -> Stream.of(Arguments.of(r, true), Arguments.of(r, false)));
  }

  private static Stream<LlamaRuntime> modern() {
    return Runtimes.all()
        .map(named -> named.getPayload())
        .filter(runtime -> !runtime.version().equals("b4916"));
  }

  /** A prefix whose window has moved on cannot be reused, one that is whole can. */
  @ParameterizedTest
  @MethodSource("modern")
  void prefixIsReusedWhereItsWindowIs(LlamaRuntime runtime) {
    int[] ids = new Random(2).ints(400, 0, 90).toArray();
    int[] branch = Arrays.copyOf(ids, 60);
    branch[50] = 91;
    for (boolean full : new boolean[] {true, false}) {
      ContextOptions options =
          options(true).withSequences(1, true).withContextTokens(512).withFullWindowCache(full);
      try (LlamaModel model = runtime.open(TinyModels.of("gemma2").write(folder));
          var tracer = new ModelTracer(TracerConfig.full());
          TracedSession session = open(model, options, tracer)) {
        Seen seen = Seen.of(session, tracer);
        assertThat(session.generate(Arrays.copyOf(ids, 60), 1, t -> true).reusedTokens()).isZero();
        assertThat(session.generate(branch, 1, t -> true).reusedTokens()).isEqualTo(50);
        session.generate(ids, 1, t -> true);
        seen.clear();
        int reused = session.generate(branch, 1, t -> true).reusedTokens();
        assertThat(reused).isEqualTo(full ? 50 : 0);
        seen.rows.forEach(
            (id, row) -> {
              int from = id.layer() == 0 ? Math.max(0, id.query() - WINDOW + 1) : 0;
              assertThat(row.keys()).isEqualTo(IntStream.rangeClosed(from, id.query()).toArray());
            });
      }
    }
  }

  /** Positions are moved in quantized and in half caches too, with flash attention. */
  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void contextShiftInOtherCaches(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(TinyModels.of("llama").write(folder))) {
      for (CacheType type : List.of(CacheType.F16, CacheType.Q8_0, CacheType.Q4_0)) {
        ContextOptions options =
            options(true).withFlashAttention(FlashAttention.ON).withCacheTypes(type, type);
        try (var tracer = new ModelTracer(TracerConfig.full());
            TracedSession session = open(model, options, tracer)) {
          Seen seen = Seen.of(session, tracer);
          var script = new CacheScript(session, seen, 7, true, 0, Set.of(), 6);
          for (int step = 0; step < 60; step++) {
            script.add();
            script.disturb();
          }
          // Recent generations rotate quantized keys in a way that cannot be undone.
          assertThat(script.shifts > 0).isEqualTo(session.cache().canShift());
          assertThat(session.cache().canShift() || type != CacheType.F16).isTrue();
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void moreSequencesThanBitsInAWord(LlamaRuntime runtime) {
    ContextOptions options =
        options(true).withSequences(70, true).withContextTokens(512).withBatch(128, 8);
    try (LlamaModel model = runtime.open(TinyModels.of("llama").write(folder));
        var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session = open(model, options, tracer)) {
      Seen seen = Seen.of(session, tracer);
      var script = new CacheScript(session, seen, 5, true, 0, Set.of(), 1);
      for (int s = 0; s < 70; s += 3) {
        script.add(List.of(s, s, 69 - s, s));
      }
      script.remove(68, 0, CellMap.END);
      script.remove(3, 0, CellMap.END);
      script.add(List.of(67, 4, 3, 68, 67));
    }
  }
}
