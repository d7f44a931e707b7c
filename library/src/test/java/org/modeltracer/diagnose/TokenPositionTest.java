package org.modeltracer.diagnose;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.probe.NodeValues;
import org.modeltracer.session.SessionListener;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.ModelsAtHand;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * The token that an anomaly names is the one whose numbers are bad, however many tokens there are.
 */
class TokenPositionTest {
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int POISONED = 90;

  @TempDir static Path folder;

  /** Two tokens, two experts for each of them: sizes that are equal by chance. */
  @Test
  void asManyTokensAsExpertsForEach() {
    Path file =
        BrokenModel.of("rand-mixtral-f32.gguf")
            .set("blk.1.ffn_up_exps.weight", 64 * 3 + 5, Float.NaN)
            .write(folder, "expert");
    var options = Diagnosed.options(CacheType.F32, FlashAttention.OFF);
    try (var run = new Diagnosed(RUNTIME, file, TracerConfig.lightweight(), options)) {
      assertThat(run.prompt(20).tracer.anomalies()).isEmpty();
    }
    try (var run = new Diagnosed(RUNTIME, file, TracerConfig.lightweight(), options)) {
      run.prompt(20, 170);
      assertThat(run.tracer.anomalies()).isNotEmpty();
      assertThat(run.tracer.anomalies()).extracting(Anomaly::position).containsOnly(1);
      assertThat(Objects.requireNonNull(run.cause()).position()).isEqualTo(1);
    }
  }

  /** Every model that does not read ahead, fused attention or not, one sequence or two. */
  @TestFactory
  Stream<DynamicTest> theLastTokenIsNamed() throws Exception {
    return ModelsAtHand.in(folder).entrySet().stream()
        .filter(e -> !Set.of("tiny bert", "tiny t5").contains(e.getKey()))
        .flatMap(
            e ->
                Stream.of(FlashAttention.OFF, FlashAttention.ON)
                    .flatMap(
                        flash ->
                            Stream.of(1, 2)
                                .map(
                                    sequences ->
                                        dynamicTest(
                                            "%s, flash attention %s, sequences: %d"
                                                .formatted(e.getKey(), flash, sequences),
                                            () -> check(e.getValue(), flash, sequences)))));
  }

  private void check(Path healthy, FlashAttention flash, int sequences) {
    var options =
        SessionOptions.defaults()
            .withContext(
                ContextOptions.defaults()
                    .withContextTokens(1024)
                    .withSequences(sequences, false)
                    .withFlashAttention(flash))
            .withExtraSites(Set.of(Site.FFN_GATE, Site.FFN_UP, Site.ROUTER, Site.RESIDUAL_MID));
    embedding(healthy, options);
    behindAttention(healthy, options);
  }

  /** One token's embedding is bad: the last one's, so that no other token can see it. */
  private void embedding(Path healthy, SessionOptions options) {
    var model = new BrokenModel(healthy);
    var table = model.tensor("token_embd.weight");
    Path file = model.nan(table, table.dimension(0) * POISONED + 3).write(folder, "poisoned");
    int tokens = Collections.max(ModelsAtHand.lengths(healthy));
    try (var run = new Diagnosed(RUNTIME, file, TracerConfig.lightweight(), options)) {
      var sequences = new Sequences(run.session, options);
      int last = sequences.goOn(tokens, POISONED);
      List<Anomaly> bad = run.critical();
      assertThat(bad).isNotEmpty();
      assertThat(bad.getFirst().position()).isEqualTo(last);
      if (options.context().flashAttention() == FlashAttention.ON) {
        assertThat(bad)
            .filteredOn(a -> a.site() != Site.LOGITS)
            .extracting(Anomaly::position)
            .containsOnly(last);
      }
      RootCause cause = bad.getFirst().rootCause();
      // What a recurrent model remembers of several sequences cannot be taken back.
      if (cause != null || options.context().sequences().count() == 1) {
        assertThat(Objects.requireNonNull(cause).position()).isEqualTo(last);
      }
    }
  }

  /** Behind the last attention no token sees another: every anomaly names the one that is bad. */
  private void behindAttention(Path healthy, SessionOptions options) {
    int judged = 0;
    try (var model = RUNTIME.open(healthy);
        var tracer = ModelTracer.quiet(TracerConfig.lightweight());
        var session = TracedSession.open(model, options, tracer)) {
      var sequences = new Sequences(session, options);
      int layer = Collections.max(session.layers());
      for (Site site : List.of(Site.FFN_GATE, Site.FFN_HIDDEN, Site.FFN_OUT, Site.LAYER_OUT)) {
        var place = new Place(site, layer);
        var node = session.nodes().stream().filter(n -> n.place().equals(place)).findFirst();
        if (node.isEmpty()) {
          continue;
        }
        for (int tokens : ModelsAtHand.lengths(healthy)) {
          tracer.clear();
          var poison = new Poison(node.get().key());
          var listening = session.listen(poison);
          int last = sequences.goOn(tokens, 1);
          listening.close();
          if (!poison.given) {
            continue;
          }
          judged++;
          assertThat(tracer.anomalies())
              .filteredOn(a -> a.severity() == Severity.CRITICAL)
              .as("%s, %d tokens", node.get(), tokens)
              .isNotEmpty()
              .extracting(Anomaly::position)
              .containsOnly(last);
        }
      }
    }
    assertThat(judged).isPositive();
  }

  /** The sequences of a session, each at positions of its own, going on together. */
  private static final class Sequences {
    private final TracedSession session;
    private final int[] next;

    Sequences(TracedSession session, SessionOptions options) {
      this.session = session;
      next = new int[options.context().sequences().count()];
      for (int s = 0; s < next.length && next.length > 1; s++) {
        int sequence = s;
        session.pass(batch -> add(batch, 3 * sequence + 2, sequence, false));
      }
    }

    /** One pass of as many tokens of each sequence; returns the position of the last. */
    int goOn(int tokens, int last) {
      int sequence = next.length - 1;
      session.pass(
          batch -> {
            for (int s = 0; s < sequence; s++) {
              add(batch, tokens, s, true);
            }
            add(batch, tokens - 1, sequence, true);
            batch.add(last, next[sequence]++, sequence, true);
          });
      return next[sequence] - 1;
    }

    private void add(Batch batch, int tokens, int sequence, boolean outputs) {
      for (int i = 0; i < tokens; i++) {
        batch.add(1 + i, next[sequence]++, sequence, outputs);
      }
    }
  }

  /** Makes the last row of a node NaN as soon as it is computed. */
  private static final class Poison implements SessionListener {
    private final String key;
    private boolean given;

    Poison(String key) {
      this.key = key;
    }

    @Override
    public Set<String> nodes() {
      return Set.of(key);
    }

    @Override
    public void onNode(NodeValues values) {
      if (!values.replaceable()) {
        return;
      }
      int width = values.width();
      float[] all = values.values().asSlice(0, 4L * width * values.rows()).toArray(FLOAT);
      Arrays.fill(all, all.length - width, all.length, Float.NaN);
      values.replace(MemorySegment.ofArray(all));
      given = true;
    }
  }
}
