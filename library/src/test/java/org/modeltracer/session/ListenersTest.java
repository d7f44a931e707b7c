package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.heads.AttentionTrace;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.model.Subscription;
import org.modeltracer.testing.Listening;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Several follow one session, and none takes another's place. */
class ListenersTest {
  private static final Path FILE = Path.of("models", "tinyllama-mha-f32.gguf");
  private static final int[] PROMPT = {0, 20, 170, 33, 90, 41, 5, 77};

  private interface Work {
    void on(ModelTracer tracer, TracedSession session);
  }

  /** Notes the places whose rows come by. */
  private record Rows(Set<Place> seen) implements Listening.Rows {
    @Override
    public void onRow(
        Place place, int sequence, int position, MemorySegment values, long offset, int width) {
      seen.add(place);
    }
  }

  private static void open(Work work) {
    open(TracerConfig.full(), work);
  }

  private static void open(TracerConfig config, Work work) {
    try (var model = LlamaRuntime.load().open(FILE);
        var tracer = new ModelTracer(config);
        var session = TracedSession.open(model, SessionOptions.defaults(), tracer)) {
      work.on(tracer, session);
    }
  }

  @Test
  void twoAnalysesAtOnceSeeTheSame() {
    open(
        (tracer, session) -> {
          List<AttentionTrace> traces = new ArrayList<>();
          for (int i = 0; i < 2; i++) {
            var trace =
                new AttentionTrace(
                    session.context().model(),
                    GgufFile.read(FILE),
                    AttentionOptions.defaults(),
                    Double.MAX_VALUE);
            traces.add(trace.attach(tracer, session));
          }
          traces.forEach(trace -> trace.begin(PROMPT));
          session.evaluate(PROMPT, false);
          List<Double> first = norms(traces.getFirst());
          assertThat(first).hasSize(16).allMatch(norm -> norm > 0);
          assertThat(norms(traces.getLast())).isEqualTo(first);
          for (AttentionTrace trace : traces) {
            assertThat(trace.analysis().absent().keySet()).noneMatch(f -> f.contains("norm"));
          }
        });
  }

  private static List<Double> norms(AttentionTrace trace) {
    return trace.collector().collected().heads().stream()
        .map(CollectedHead::meanOutputNorm)
        .toList();
  }

  @Test
  void whatListenersWantIsWatched() {
    open(
        (tracer, session) -> {
          Set<Place> seen = new HashSet<>();
          var rows = new Rows(seen);
          session.evaluate(PROMPT, false);
          Subscription keys = session.listen(Listening.rows(Set.of(Site.KEY), rows));
          Subscription values = session.listen(Listening.rows(Set.of(Site.VALUE), rows));
          session.evaluate(PROMPT, false);
          assertThat(seen).hasSize(2 * session.layers().size());
          keys.close();
          seen.clear();
          session.evaluate(PROMPT, false);
          assertThat(seen).hasSize(session.layers().size()).allMatch(p -> p.site() == Site.VALUE);
          values.close();
          seen.clear();
          session.evaluate(PROMPT, false);
          assertThat(seen).isEmpty();
        });
  }

  @Test
  void aSessionThatTracesNothingStillHasListeners() {
    open(
        TracerConfig.disabled(),
        (tracer, session) -> {
          Set<Place> seen = new HashSet<>();
          Set<Integer> layers = new TreeSet<>();
          session.listen(Listening.rows(Set.of(Site.CONTEXT), new Rows(seen)));
          session.listen(
              Listening.states((layer, sequence, position, v, at, width) -> layers.add(layer)));
          session.evaluate(PROMPT, false);
          assertThat(seen).hasSize(session.layers().size());
          assertThat(layers).hasSize(1 + session.layers().size()).contains(Place.BEFORE_LAYERS);
          assertThat(tracer.summary().totalForwards()).isZero();
        });
  }

  @Test
  void rowsThatNobodyCanHandOutAreRefused() {
    open(
        (tracer, session) -> {
          var rows = new Rows(new HashSet<>());
          assertThatThrownBy(() -> session.listen(Listening.rows(Set.of(Site.ATTENTION), rows)))
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessageContaining("ATTENTION");
        });
  }

  @Test
  void callsComeInOrderUntilAListenerIsTakenOff() {
    open(
        (tracer, session) -> {
          var calls = new ArrayList<String>();
          Subscription first =
              session.listen(Listening.logits((sequence, position, logits) -> calls.add("a")));
          session.listen(
              Listening.rows(
                  Set.of(Site.CONTEXT), (place, sequence, position, values, at, width) -> {}));
          session.listen(Listening.logits((sequence, position, logits) -> calls.add("b")));
          session.evaluate(PROMPT, false);
          assertThat(calls).containsExactly("a", "b");
          first.close();
          first.close();
          session.evaluate(PROMPT, false);
          assertThat(calls).containsExactly("a", "b", "b");
        });
  }
}
