package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.cache.CellMap;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.SamplerOptions;
import org.modeltracer.model.Subscription;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.Listening;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Generating, reusing, cancelling, refusing. */
class TracedSessionTest {
  private static final ContextOptions EXACT =
      ContextOptions.defaults()
          .withContextTokens(256)
          .withFlashAttention(FlashAttention.OFF)
          .withCacheTypes(CacheType.F32, CacheType.F32);

  private static final SessionOptions OPTIONS = SessionOptions.defaults().withContext(EXACT);
  private static final int[] PROMPT = Golden.load("tinyllama-mha", "short").ids();

  private interface Work {
    void with(TracedSession session, Seen seen);
  }

  private static void open(LlamaRuntime runtime, SessionOptions options, Work work) {
    try (LlamaModel model = runtime.open(Golden.model("tinyllama-mha-f32.gguf"));
        var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session = TracedSession.open(model, options, tracer)) {
      work.with(session, Seen.of(session, tracer));
    }
  }

  private static int[] ids(Generation generation) {
    return generation.tokens().stream().mapToInt(Generation.Token::id).toArray();
  }

  private static int[] generated(LlamaRuntime runtime, SessionOptions options, int most) {
    var result = new ArrayList<int[]>();
    open(runtime, options, (s, seen) -> result.add(ids(s.generate(PROMPT, most, t -> true))));
    return result.getFirst();
  }

  private static int best(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void greedyTakesTheBestEveryTime(LlamaRuntime runtime) {
    open(
        runtime,
        OPTIONS,
        (session, seen) -> {
          var told = new ArrayList<Integer>();
          Generation generation = session.generate(PROMPT, 20, t -> told.add(t.id()));
          assertThat(generation.promptTokens()).isEqualTo(PROMPT.length);
          assertThat(generation.reusedTokens()).isZero();
          assertThat(generation.finish()).isEqualTo(Generation.Finish.LENGTH);
          assertThat(told).hasSize(20).containsExactlyElementsOf(asList(ids(generation)));
          var bytes = new ByteArrayOutputStream();
          for (Generation.Token token : generation.tokens()) {
            float[] logits = seen.logits.get(new Seen.StateId(0, 0, token.position() - 1));
            assertThat(token.id()).isEqualTo(best(logits));
            bytes.writeBytes(token.bytes());
          }
          assertThat(generation.tokens().getFirst().position()).isEqualTo(PROMPT.length);
          assertThat(generation.text()).isEqualTo(bytes.toString(StandardCharsets.UTF_8));
          assertThat(generation.promptSeconds()).isPositive();
          assertThat(generation.generationSeconds()).isPositive();
        });
    assertThat(generated(runtime, OPTIONS, 20)).isEqualTo(generated(runtime, OPTIONS, 20));
  }

  private static List<Integer> asList(int[] ids) {
    return Arrays.stream(ids).boxed().toList();
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void samplesDependOnTheSeedAlone(LlamaRuntime runtime) {
    SessionOptions seven = OPTIONS.withSampler(new SamplerOptions(1.5f, 0, 1, 7));
    SessionOptions eight = OPTIONS.withSampler(new SamplerOptions(1.5f, 0, 1, 8));
    int[] first = generated(runtime, seven, 30);
    assertThat(generated(runtime, seven, 30)).isEqualTo(first);
    assertThat(generated(runtime, eight, 30)).isNotEqualTo(first);
  }

  /** Observing changes no bit of what llama.cpp computes. */
  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void observingIsNeutral(LlamaRuntime runtime) {
    var runs = new ArrayList<Map<Seen.StateId, float[]>>();
    for (TracerConfig config :
        List.of(TracerConfig.disabled(), TracerConfig.lightweight(), TracerConfig.full())) {
      try (LlamaModel model = runtime.open(Golden.model("tinyllama-mha-f32.gguf"));
          var tracer = new ModelTracer(config);
          TracedSession session = TracedSession.open(model, OPTIONS, tracer)) {
        var seen = new Seen();
        Seen.logitsOf(session, seen);
        session.evaluate(PROMPT, true);
        session.generate(PROMPT, 10, t -> true);
        runs.add(seen.logits);
        assertThat(session.cost().nodesObserved() > 0).isEqualTo(config.isEnabled());
      }
    }
    assertThat(runs.getFirst()).hasSize(PROMPT.length + 9);
    for (var run : runs) {
      run.forEach(
          (id, logits) ->
              assertThat(Arrays.equals(logits, runs.getFirst().get(id))).as("%s", id).isTrue());
    }
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void listenerStops(LlamaRuntime runtime) {
    open(
        runtime,
        OPTIONS,
        (session, seen) -> {
          Generation generation =
              session.generate(PROMPT, 20, t -> t.position() < PROMPT.length + 4);
          assertThat(generation.finish()).isEqualTo(Generation.Finish.STOPPED);
          assertThat(generation.tokens()).hasSize(5);
          assertThat(session.generate(PROMPT, 0, t -> true).tokens()).isEmpty();
        });
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void contextFillsUp(LlamaRuntime runtime) {
    SessionOptions hot = OPTIONS.withSampler(new SamplerOptions(2, 0, 1, 3));
    open(
        runtime,
        hot,
        (session, seen) -> {
          int room = session.context().contextTokens();
          int[] prompt = new int[room - 3];
          Arrays.setAll(prompt, i -> 40 + i % 7);
          Generation generation = session.generate(prompt, 100, t -> true);
          assertThat(generation.finish()).isEqualTo(Generation.Finish.CONTEXT);
          // The last token is known, though there is no room to compute what follows it.
          assertThat(generation.tokens()).hasSize(4);
          assertThat(session.cache().cellsUsed()).isEqualTo(room);
          assertThat(session.cache().capacity()).isEqualTo(room);
        });
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void endOfTextEnds(LlamaRuntime runtime) {
    var finishes = new TreeMap<Generation.Finish, Integer>();
    for (int seed = 0; seed < 12 && !finishes.containsKey(Generation.Finish.END_OF_TEXT); seed++) {
      SessionOptions hot = OPTIONS.withSampler(new SamplerOptions(6, 0, 1, seed));
      open(
          runtime,
          hot,
          (session, seen) -> {
            Generation generation = session.generate(new int[] {0}, 240, t -> true);
            finishes.merge(generation.finish(), 1, Integer::sum);
            assertThat(generation.tokens()).noneMatch(t -> t.id() == 1);
          });
    }
    assertThat(finishes).containsKey(Generation.Finish.END_OF_TEXT);
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void promptsAreChecked(LlamaRuntime runtime) {
    open(
        runtime,
        OPTIONS,
        (session, seen) -> {
          refuses(session, "the prompt has no tokens");
          refuses(session, "token 384 is outside the vocabulary of 384 tokens", 3, 384);
          refuses(session, "token -1 is outside the vocabulary of 384 tokens", -1);
          int room = session.context().contextTokens();
          refuses(
              session,
              "the prompt has %d tokens, the context holds %d; a larger context makes room"
                  .formatted(room + 1, room),
              new int[room + 1]);
          assertThat(session.generate(PROMPT, 3, t -> true).tokens()).hasSize(3);
        });
  }

  private static void refuses(TracedSession session, String message, int... prompt) {
    assertThatThrownBy(() -> session.generate(prompt, 1, t -> true))
        .isInstanceOf(LlamaException.class)
        .hasMessage(message);
    assertThatThrownBy(() -> session.evaluate(prompt, true)).hasMessage(message);
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void prefixIsReused(LlamaRuntime runtime) {
    int[] other = PROMPT.clone();
    other[PROMPT.length - 4] = 77;
    open(
        runtime,
        OPTIONS,
        (session, seen) -> {
          assertThat(session.generate(PROMPT, 5, t -> true).reusedTokens()).isZero();
          assertThat(session.generate(PROMPT, 5, t -> true).reusedTokens())
              .isEqualTo(PROMPT.length - 1);
          seen.clear();
          assertThat(session.generate(other, 5, t -> true).reusedTokens())
              .isEqualTo(PROMPT.length - 4);
          // Rows of the rest alone, over all keys.
          assertThat(seen.rows.keySet())
              .allMatch(id -> id.query() >= PROMPT.length - 4)
              .hasSize(4 * 4 * (4 + 4));
          Map<Seen.RowId, Seen.Row> rest = Map.copyOf(seen.rows);
          session.cache().clear();
          seen.clear();
          assertThat(session.generate(other, 5, t -> true).reusedTokens()).isZero();
          rest.forEach((id, row) -> Seen.requireNear(id, row, seen.rows.get(id), 1e-5));
        });
  }

  /** Whatever is done to the cache between prompts, what is reused of it is right. */
  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void prefixSurvivesNothingItShouldNot(LlamaRuntime runtime) {
    var random = new Random(11);
    open(
        runtime,
        OPTIONS.withContext(EXACT.withSequences(2, true)),
        (session, seen) -> {
          for (int round = 0; round < 25; round++) {
            int[] prompt = Arrays.copyOf(PROMPT, 4 + random.nextInt(PROMPT.length - 4));
            prompt[1 + random.nextInt(prompt.length - 1)] = 50 + random.nextInt(2);
            seen.clear();
            int reused = session.generate(prompt, 3, t -> true).reusedTokens();
            for (Seen.RowId id : seen.rows.keySet()) {
              assertThat(id.query()).isGreaterThanOrEqualTo(reused);
              assertThat(seen.rows.get(id).keys()).hasSize(id.query() + 1);
            }
            float[] last = seen.logits.get(new Seen.StateId(0, 0, prompt.length - 1));
            session.cache().clear();
            seen.clear();
            session.evaluate(prompt, false);
            float[] fresh = seen.logits.get(new Seen.StateId(0, 0, prompt.length - 1));
            for (int i = 0; i < fresh.length; i++) {
              assertThat(Math.abs(last[i] - fresh[i])).isLessThan(1e-4f);
            }
            disturb(session.cache(), random, prompt.length);
          }
        });
  }

  private static void disturb(TracedCache cache, Random random, int size) {
    int at = random.nextInt(size);
    switch (random.nextInt(6)) {
      case 0 -> cache.clear();
      case 1 -> cache.remove(0, at, CellMap.END);
      case 2 -> cache.remove(0, at, Math.min(size, at + 2));
      case 3 -> {
        cache.remove(0, 0, 2);
        cache.shift(0, 2, CellMap.END, -2);
      }
      case 4 -> {
        cache.copy(0, 1, 0, CellMap.END);
        cache.keep(1);
        cache.copy(1, 0, 0, CellMap.END);
      }
      default -> {}
    }
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void cancelledGenerationEnds(LlamaRuntime runtime) {
    open(
        runtime,
        OPTIONS,
        (session, seen) -> {
          int[] whole = ids(session.generate(PROMPT, 12, t -> true));
          Generation cut =
              session.generate(
                  PROMPT,
                  12,
                  token -> {
                    if (token.position() == PROMPT.length + 5) {
                      session.cancel();
                    }
                    return true;
                  });
          assertThat(cut.finish()).isEqualTo(Generation.Finish.CANCELLED);
          assertThat(ids(cut)).isEqualTo(Arrays.copyOf(whole, 6));
          // It is over with that: the next one runs.
          Generation again = session.generate(PROMPT, 12, t -> true);
          assertThat(again.finish()).isEqualTo(Generation.Finish.LENGTH);
          assertThat(ids(again)).isEqualTo(whole);
        });
  }

  /** Cancelled from within the pass: by the first row of attention that shows. */
  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void cancelledPassLeavesNothingBehind(LlamaRuntime runtime) {
    open(
        runtime,
        OPTIONS.withContext(EXACT.withBatch(64, 8)),
        (session, seen) -> {
          int[] prompt = Golden.load("tinyllama-mha", "text64").ids();
          Subscription cancelling =
              session.listen(
                  Listening.states(
                      (layer, sequence, position, values, offset, width) -> {
                        if (layer == 1 && position == 20) {
                          session.cancel();
                        }
                      }));
          assertThatThrownBy(() -> session.evaluate(prompt, true))
              .isInstanceOfSatisfying(
                  LlamaException.class,
                  e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.CANCELLED));
          assertThat(session.cache().cellsUsed()).isLessThanOrEqualTo(16);
          cancelling.close();
          seen.clear();
          session.evaluate(prompt, true);
          assertThat(seen.rows).hasSize(4 * 4 * 64);
          seen.rows.forEach((id, row) -> assertThat(row.keys()).hasSize(id.query() + 1));
        });
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void exceptionOfAListenerComesOut(LlamaRuntime runtime) {
    open(
        runtime,
        OPTIONS,
        (session, seen) -> {
          Subscription throwing =
              session.listen(
                  Listening.states(
                      (layer, sequence, position, values, offset, width) -> {
                        throw new IllegalStateException("enough");
                      }));
          assertThatThrownBy(() -> session.evaluate(PROMPT, true)).hasMessage("enough");
          throwing.close();
          session.evaluate(PROMPT, true);
          assertThat(seen.logits).hasSize(PROMPT.length);
        });
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void progressAndLogitsAreTold(LlamaRuntime runtime) {
    open(
        runtime,
        OPTIONS.withContext(EXACT.withBatch(32, 32)),
        (session, seen) -> {
          var progress = new ArrayList<Integer>();
          session.listen(Listening.prompts((done, all) -> progress.add(1000 * all + done)));
          int[] prompt = Golden.load("tinyllama-mha", "text64").ids();
          session.evaluate(prompt, false);
          // b4916 makes small batches larger.
          assertThat(progress)
              .hasSize(64 / session.context().batch().capacity())
              .last()
              .isEqualTo(64064);
          assertThat(seen.logits.keySet()).containsExactly(new Seen.StateId(0, 0, 63));
          var counted = new ArrayList<Integer>();
          Subscription counting =
              session.listen(
                  Listening.logits((sequence, position, logits) -> counted.add(position)));
          session.evaluate(prompt, true);
          assertThat(counted).hasSize(prompt.length);
          counting.close();
          counting.close();
          session.evaluate(prompt, true);
          assertThat(counted).hasSize(prompt.length);
        });
  }
}
