package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.graph.FoundSite;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Architectures that are built differently, made on the spot, on every generation. */
@Tag("truth")
class TinyModelsTest {
  private static final int WINDOW = 24;

  private static final Set<Site> ATTENTION =
      EnumSet.of(
          Site.QUERY,
          Site.KEY,
          Site.VALUE,
          Site.SCORES,
          Site.ATTENTION,
          Site.CONTEXT,
          Site.ATTN_OUT);
  private static final Set<Site> CROSS = EnumSet.of(Site.CROSS_ATTENTION, Site.CROSS_OUT);
  private static final Set<Site> CACHE = EnumSet.of(Site.KEY_CACHE, Site.VALUE_CACHE);
  private static final Set<Site> FFN =
      EnumSet.of(Site.FFN_UP, Site.FFN_HIDDEN, Site.FFN_OUT, Site.LAYER_OUT);
  private static final Set<Site> NORMS = EnumSet.of(Site.ATTN_NORM, Site.FFN_NORM);
  private static final Set<Site> MID = EnumSet.of(Site.RESIDUAL_MID);
  private static final Set<Site> GATE = EnumSet.of(Site.FFN_GATE);

  /** What each layer has; all else is absent. */
  private static final Map<String, Set<Site>> LAYER =
      Map.ofEntries(
          Map.entry("bert", union(ATTENTION, FFN, MID)),
          Map.entry("bloom", union(ATTENTION, CACHE, FFN, NORMS, MID)),
          Map.entry("falcon", union(ATTENTION, CACHE, FFN, EnumSet.of(Site.ATTN_NORM))),
          Map.entry("gemma2", union(ATTENTION, CACHE, FFN, NORMS, MID, GATE)),
          Map.entry("gemma3", union(ATTENTION, CACHE, FFN, NORMS, MID, GATE)),
          Map.entry("gptneox", union(ATTENTION, CACHE, FFN, NORMS)),
          Map.entry("llama", union(ATTENTION, CACHE, FFN, NORMS, MID, GATE)),
          Map.entry("mamba", EnumSet.of(Site.ATTN_NORM, Site.ATTN_OUT, Site.LAYER_OUT)),
          Map.entry("mpt", union(ATTENTION, CACHE, FFN, NORMS, MID)),
          Map.entry("olmo2", union(ATTENTION, CACHE, FFN, MID, GATE)),
          Map.entry("phi3", union(ATTENTION, CACHE, FFN, NORMS, MID)),
          Map.entry("t5", union(ATTENTION, CACHE, CROSS, FFN, NORMS, MID)));

  @TempDir private Path folder;

  @SafeVarargs
  private static Set<Site> union(Set<Site>... parts) {
    var all = EnumSet.noneOf(Site.class);
    for (Set<Site> part : parts) {
      all.addAll(part);
    }
    return all;
  }

  /** All but gemma2 and gemma3 on b4916, which ends the process over their number of layers. */
  static Stream<Arguments> models() {
    return Runtimes.all()
        .flatMap(
            runtime ->
                TinyModels.names().stream()
                    .filter(
                        name ->
                            !name.startsWith("gemma")
                                || !runtime.getPayload().version().equals("b4916"))
                    .map(name -> Arguments.of(runtime, name)));
  }

  private static ContextOptions exact() {
    return ContextOptions.defaults()
        .withContextTokens(256)
        .withFlashAttention(FlashAttention.OFF)
        .withCacheTypes(CacheType.F32, CacheType.F32);
  }

  private void open(
      LlamaRuntime runtime,
      String name,
      ContextOptions context,
      BiConsumer<TracedSession, Seen> work) {
    SessionOptions options = SessionOptions.defaults().withContext(context);
    try (LlamaModel model = runtime.open(TinyModels.of(name).write(folder));
        var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session = TracedSession.open(model, options, tracer)) {
      work.accept(session, Seen.of(session, tracer));
      assertThat(session.cost().droppedKeys()).isZero();
    }
  }

  private static int[] ids(int n) {
    return new Random(9).ints(n, 0, 96).toArray();
  }

  private static boolean attends(String name) {
    return !name.equals("mamba");
  }

  private static boolean encodes(String name) {
    return name.equals("bert") || name.equals("t5");
  }

  @ParameterizedTest
  @MethodSource("models")
  void placesAreFoundOrAbsent(LlamaRuntime runtime, String name) {
    open(
        runtime,
        name,
        exact(),
        (session, seen) -> {
          assertThat(session.layers()).containsExactly(0, 1);
          for (int layer : session.layers()) {
            assertThat(sites(session, layer)).as("layer %d", layer).isEqualTo(LAYER.get(name));
          }
          assertThat(sites(session, Place.BEFORE_LAYERS)).containsExactly(Site.EMBEDDING);
          Set<Site> end = name.equals("bert") ? Set.of() : EnumSet.of(Site.FINAL_NORM, Site.LOGITS);
          assertThat(sites(session, Place.AFTER_LAYERS)).isEqualTo(end);
        });
  }

  private static Set<Site> sites(TracedSession session, int layer) {
    var sites = new TreeSet<Site>();
    for (FoundSite found : session.sites()) {
      if (found.place().layer() == layer) {
        sites.add(found.place().site());
      }
    }
    return sites;
  }

  @ParameterizedTest
  @MethodSource("models")
  void rowsAreWholeHoweverTheyCome(LlamaRuntime runtime, String name) {
    assumeTrue(!encodes(name), "an encoder reads all of a text at once");
    int[] ids = ids(40);
    open(
        runtime,
        name,
        exact().withBatch(64, 13),
        (session, seen) -> {
          session.evaluate(ids, true);
          var uneven = Map.copyOf(seen.rows);
          int heads = name.equals("mpt") ? 3 : 4;
          assertThat(uneven).hasSize(attends(name) ? 2 * heads * ids.length : 0);
          uneven.forEach((id, row) -> requireWhole(name, id, row));
          assertThat(seen.states).hasSize(3 * ids.length);
          session.cache().clear();
          seen.clear();
          for (int i = 0; i < ids.length; i++) {
            int at = i;
            session.pass(batch -> batch.add(ids[at], at, 0, true));
          }
          assertThat(seen.rows.keySet()).isEqualTo(uneven.keySet());
          uneven.forEach((id, row) -> Seen.requireNear(id, seen.rows.get(id), row, 1e-4));
        });
  }

  private static void requireWhole(String name, Seen.RowId id, Seen.Row row) {
    assertThat(row.sum()).as("%s", id).isBetween(0.9999, 1.0001);
    int windowed = Math.max(0, id.query() - WINDOW + 1);
    boolean window = name.equals("gemma3") || name.equals("gemma2") && id.layer() == 0;
    int from = window ? windowed : 0;
    assertThat(row.keys()).isEqualTo(IntStream.rangeClosed(from, id.query()).toArray());
  }

  @ParameterizedTest
  @MethodSource("models")
  void flashAttentionShowsWhatSoftmaxShows(LlamaRuntime runtime, String name) {
    int[] ids = ids(40);
    var off = new Seen[1];
    var half = exact().withCacheTypes(CacheType.F16, CacheType.F16);
    open(runtime, name, half, (session, seen) -> off[0] = run(session, seen, ids));
    open(
        runtime,
        name,
        half.withFlashAttention(FlashAttention.ON),
        (session, seen) -> RowComparison.requireNear(run(session, seen, ids), off[0], 1));
  }

  private static Seen run(TracedSession session, Seen seen, int[] ids) {
    session.evaluate(ids, true);
    return seen;
  }

  /** An encoder sees ahead, has no cache, and makes no text. */
  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void encoder(LlamaRuntime runtime) {
    int[] ids = ids(40);
    open(
        runtime,
        "bert",
        exact(),
        (session, seen) -> {
          session.evaluate(ids, true);
          assertThat(seen.rows).hasSize(2 * 4 * ids.length);
          seen.rows.forEach(
              (id, row) -> {
                assertThat(row.keys()).isEqualTo(IntStream.range(0, ids.length).toArray());
                assertThat(row.sum()).isBetween(0.9999, 1.0001);
              });
          assertThat(seen.states).hasSize(3 * ids.length);
          assertThat(seen.logits).isEmpty();
          assertThatThrownBy(() -> session.generate(ids, 1, token -> true))
              .isInstanceOf(LlamaException.class)
              .hasMessageContaining("cannot generate text");
        });
    open(
        runtime,
        "bert",
        exact().withBatch(32, 16),
        (session, seen) -> {
          int most = session.context().microBatchTokens();
          assertThatThrownBy(() -> session.evaluate(ids(most + 1), true))
              .isInstanceOf(LlamaException.class)
              .hasMessageContaining("all of a text at once");
          session.evaluate(ids(most), true);
          assertThat(seen.states).hasSize(3 * most);
        });
  }

  private static Map<Seen.RowId, Seen.Row> ofDecoder(Seen seen) {
    var rows = new HashMap<>(seen.rows);
    rows.keySet().removeIf(id -> id.layer() >= 2);
    return rows;
  }

  /** The encoder reads the prompt, the decoder writes; its attention to itself is shown. */
  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void encoderAndDecoder(LlamaRuntime runtime) {
    int[] ids = ids(20);
    open(
        runtime,
        "t5",
        exact(),
        (session, seen) -> {
          Generation generation = session.generate(ids, 8, token -> true);
          assertThat(generation.tokens()).hasSize(8);
          Map<Seen.RowId, Seen.Row> own = ofDecoder(seen);
          assertThat(own).hasSize(2 * 4 * 8);
          own.forEach((id, row) -> requireWhole("t5", id, row));
          seen.clear();
          Generation other = session.generate(ids(5), 8, token -> true);
          assertThat(other.tokens()).hasSize(8);
          assertThat(ofDecoder(seen)).hasSize(2 * 4 * 8);
          assertThat(session.generate(ids, 8, token -> true).text()).isEqualTo(generation.text());
        });
    open(
        runtime,
        "t5",
        exact().withBatch(32, 16),
        (session, seen) ->
            assertThatThrownBy(() -> session.evaluate(ids(40), true))
                .isInstanceOf(LlamaException.class)
                .hasMessageContaining("all of a text at once"));
  }
}
