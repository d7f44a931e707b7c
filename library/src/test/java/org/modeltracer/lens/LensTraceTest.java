package org.modeltracer.lens;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.session.CachePolicy;
import org.modeltracer.session.Generation;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** A lens on a session that goes on. */
class LensTraceTest {
  private static final Path FILE = Path.of("models", "tinyllama-mha-f32.gguf");
  private static final int BATCH = 16;

  private interface Body {
    void run(TracedSession session, LensTrace trace, List<PositionReading> readings);
  }

  private static void with(LensOptions options, Body body) {
    var context = LensRun.exact().withBatch(BATCH, 6);
    try (LlamaModel model = LlamaRuntime.load().open(FILE);
        var tracer = new ModelTracer(TracerConfig.builder().logits(true).build());
        TracedSession session =
            TracedSession.open(model, SessionOptions.defaults().withContext(context), tracer)) {
      var readings = new ArrayList<PositionReading>();
      try (LensTrace trace = LensTrace.attach(session, options, readings::add)) {
        body.run(session, trace, readings);
      }
    }
  }

  private static int[] ids(int seed, int n) {
    return new Random(seed).ints(n, 2, 384).toArray();
  }

  @Test
  void memoryIsForOneBatchHoweverLongThePrompt() {
    with(
        new LensOptions(true, 1, List.of()),
        (session, trace, readings) -> {
          trace.begin(ids(1, 100));
          session.generate(ids(1, 100), true, 20, token -> true);
          assertThat(readings).hasSize(100 + 19);
          assertThat(trace.held()).isEqualTo(BATCH);
        });
    with(
        new LensOptions(false, 1, List.of()),
        (session, trace, readings) -> {
          trace.begin(ids(1, 100));
          session.generate(ids(1, 100), 20, token -> true);
          assertThat(readings).hasSize(20);
          assertThat(trace.held()).isEqualTo(1);
        });
  }

  @Test
  void eachPositionIsReadTheSameHoweverItCameBy() {
    int[] ids = ids(2, 50);
    with(
        new LensOptions(true, 3, List.of()),
        (session, trace, readings) -> {
          trace.begin(ids);
          session.generate(ids, true, 1, token -> true);
          var whole = List.copyOf(readings);
          readings.clear();
          // Again, cut in other places, and after another prompt.
          trace.begin(ids(3, 9));
          session.generate(ids(3, 9), true, 2, token -> true);
          readings.clear();
          trace.begin(ids);
          session.cache().clear();
          for (int i = 0; i < ids.length; i++) {
            int at = i;
            session.pass(batch -> batch.add(ids[at], at, 0, true));
          }
          assertThat(readings).hasSameSizeAs(whole);
          for (int i = 0; i < ids.length; i++) {
            requireNear(readings.get(i), whole.get(i));
          }
        });
  }

  private static void requireNear(PositionReading a, PositionReading b) {
    assertThat(a.position()).isEqualTo(b.position());
    assertThat(a.token()).isEqualTo(b.token());
    for (int i = 0; i < a.layers().size(); i++) {
      double logit = a.layers().get(i).top().getFirst().logit();
      assertThat(b.layers().get(i).top().getFirst().logit())
          .isCloseTo(logit, Assertions.within(1e-4));
    }
  }

  @Test
  void aReusedPrefixLeavesTheLastPositionToBeRead() {
    int[] ids = ids(4, 30);
    with(
        new LensOptions(false, 2, List.of()),
        (session, trace, readings) -> {
          for (int round = 0; round < 2; round++) {
            trace.begin(ids);
            session.generate(ids, 3, token -> true);
          }
          assertThat(readings)
              .extracting(PositionReading::position)
              .containsExactly(29, 30, 31, 29, 30, 31);
          for (int i = 0; i < 3; i++) {
            requireNear(readings.get(i), readings.get(3 + i));
            assertThat(readings.get(i).next()).isEqualTo(readings.get(3 + i).next());
          }
          assertThat(readings.get(1).token()).isEqualTo(readings.get(0).next());
        });
  }

  @Test
  void goesOnWhenTheContextIsShifted() {
    int[] ids = ids(6, 60);
    var options =
        SessionOptions.defaults()
            .withContext(LensRun.exact())
            .withCache(CachePolicy.defaults().withShift(0));
    try (LlamaModel model = LlamaRuntime.load().open(FILE);
        var tracer = new ModelTracer(TracerConfig.builder().logits(true).build());
        TracedSession session = TracedSession.open(model, options, tracer)) {
      var readings = new ArrayList<PositionReading>();
      var lens = new LensOptions(false, 1, List.of());
      try (LensTrace trace = LensTrace.attach(session, lens, readings::add)) {
        trace.begin(ids);
        Generation generation = session.generate(ids, 400, token -> true);
        assertThat(generation.shifts()).isPositive();
        assertThat(readings).hasSizeGreaterThan(256);
        for (int i = 0; i < generation.tokens().size() - 1; i++) {
          int id = generation.tokens().get(i).id();
          assertThat(readings.get(i).next()).isEqualTo(id);
          assertThat(readings.get(i + 1).token()).isEqualTo(id);
        }
      }
    }
  }

  @Test
  void onlyPositionsWithScoresAreRead() {
    with(
        new LensOptions(true, 1, List.of()),
        (session, trace, readings) -> {
          trace.begin(ids(5, 4));
          session.evaluate(ids(5, 4), false);
          // Scores of the last position only were computed, so that only it can be read.
          assertThat(readings).extracting(PositionReading::position).containsExactly(3);
        });
  }
}
