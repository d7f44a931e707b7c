package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Metadata;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.model.Site;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Sample;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * Models of many architectures: what softmax showed, flash attention shows too.
 *
 * <p>Their vocabularies are of a type that b4916 does not know; it refuses them all.
 */
class ArchitectureFilesTest {
  private static final int PROMPT = 32;
  private static final int TOKENS = 40;
  private static final double EXACT_KEYS = 1;

  /** A sparse selection of keys follows rounded scores: where they are close, so does it. */
  private static final double SELECTED_KEYS = 0.5;

  private record Run(Seen seen, Set<Integer> attention, Set<Integer> layers) {}

  static Stream<DynamicTest> each(BiConsumer<LlamaRuntime, Path> test) {
    return Runtimes.all()
        .map(named -> named.getPayload())
        .filter(runtime -> !runtime.version().equals("b4916"))
        .flatMap(
            runtime ->
                Sample.of(Architectures.all(), 9).stream()
                    .map(
                        file ->
                            dynamicTest(
                                runtime.version() + " " + file, () -> test.accept(runtime, file))));
  }

  private static ContextOptions options(FlashAttention flash, CacheType keys, CacheType values) {
    return ContextOptions.defaults()
        .withContextTokens(256)
        .withBatch(64, 13)
        .withFlashAttention(flash)
        .withCacheTypes(keys, values);
  }

  private static Run run(LlamaModel model, ContextOptions context, boolean copy) {
    var random = new Random(5);
    int[] ids = random.ints(TOKENS, 0, model.vocabulary().size()).toArray();
    try (var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session =
            TracedSession.open(
                model,
                SessionOptions.defaults().withContext(context).withCopyBuffers(copy),
                tracer)) {
      Seen seen = Seen.of(session, tracer);
      session.evaluate(Arrays.copyOf(ids, PROMPT), true);
      for (int i = PROMPT; i < TOKENS; i++) {
        int at = i;
        session.pass(batch -> batch.add(ids[at], at, 0, true));
      }
      assertThat(session.cost().droppedKeys()).isZero();
      Set<Integer> attention =
          session.sites().stream()
              .filter(site -> site.place().site() == Site.ATTENTION)
              .map(site -> site.place().layer())
              .collect(Collectors.toCollection(TreeSet::new));
      return new Run(seen, attention, session.layers());
    }
  }

  @TestFactory
  Stream<DynamicTest> rowsAreWhole() {
    return each(
        (runtime, file) -> {
          try (LlamaModel model = runtime.open(file)) {
            for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
              requireWhole(run(model, options(flash, CacheType.F32, CacheType.F32), false), file);
            }
          }
        });
  }

  private static void requireWhole(Run run, Path file) {
    Seen seen = run.seen();
    assertThat(run.layers()).containsExactly(0, 1);
    assertThat(seen.logits).hasSize(TOKENS);
    assertThat(seen.states).hasSize(3 * TOKENS);
    // A layer without attention is absent, and no row is made up for it.
    Set<Integer> shown = new TreeSet<>();
    seen.rows.keySet().forEach(id -> shown.add(id.layer()));
    assertThat(shown).isEqualTo(run.attention());
    Metadata metadata = GgufFile.read(file).metadata();
    String key = metadata.string("general.architecture").orElseThrow() + ".attention.";
    long window = metadata.integer(key + "sliding_window").orElse(0);
    boolean sinks = file.toString().contains("gpt-oss");
    boolean selects = file.toString().contains("deepseek32");
    seen.rows.forEach(
        (id, row) -> {
          if (sinks) {
            assertThat(row.sum()).as("%s", id).isBetween(0.01, 0.9999);
          } else {
            assertThat(row.sum()).as("%s", id).isBetween(0.999, 1.001);
          }
          int[] all = IntStream.rangeClosed(0, id.query()).toArray();
          if (selects) {
            assertThat(row.keys()).hasSize(Math.min(8, all.length));
            assertThat(all).contains(row.keys());
          } else if (row.keys()[0] == 0) {
            assertThat(row.keys()).isEqualTo(all);
          } else {
            int from = (int) (id.query() - window + 1);
            assertThat(row.keys()).isEqualTo(IntStream.rangeClosed(from, id.query()).toArray());
          }
        });
  }

  @TestFactory
  Stream<DynamicTest> flashAttentionShowsWhatSoftmaxShows() {
    return each(
        (runtime, file) -> {
          try (LlamaModel model = runtime.open(file)) {
            Run off = run(model, options(FlashAttention.OFF, CacheType.F32, CacheType.F32), false);
            Run on = run(model, options(FlashAttention.ON, CacheType.F32, CacheType.F32), false);
            assertThat(on.attention()).isEqualTo(off.attention());
            RowComparison.requireNear(on.seen(), off.seen(), EXACT_KEYS);
          }
        });
  }

  @TestFactory
  Stream<DynamicTest> everyTypeOfCachedKeys() {
    return each(
        (runtime, file) -> {
          boolean latent = file.toString().contains("deepseek");
          try (LlamaModel model = runtime.open(file)) {
            for (CacheType type :
                List.of(CacheType.F16, CacheType.BF16, CacheType.Q8_0, CacheType.Q4_0)) {
              // Latent attention keeps keys and values in one; quantized values need the flash.
              CacheType keys = latent ? CacheType.F16 : type;
              Run off = run(model, options(FlashAttention.OFF, keys, CacheType.F16), false);
              Run on = run(model, options(FlashAttention.ON, type, type), false);
              RowComparison.requireNear(on.seen(), off.seen(), latent ? SELECTED_KEYS : EXACT_KEYS);
            }
          }
        });
  }

  /** What is done for buffers that are not host memory, on buffers that are. */
  @TestFactory
  Stream<DynamicTest> copiedBuffersHoldTheSameNumbers() {
    return each(
        (runtime, file) -> {
          try (LlamaModel model = runtime.open(file)) {
            for (FlashAttention flash : List.of(FlashAttention.OFF, FlashAttention.ON)) {
              ContextOptions options = options(flash, CacheType.F16, CacheType.F16);
              run(model, options, true).seen().assertSameBits(run(model, options, false).seen());
            }
          }
        });
  }
}
