package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.SamplerOptions;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** What a callback must not do is refused, and does no harm; closing again does nothing. */
class BusyTest {
  private static final Path FILE = Path.of("models", "tinyllama-mha-f32.gguf");
  private static final int[] PROMPT = {0, 20, 170, 33, 90, 41, 5, 77};
  private static final SessionOptions OPTIONS =
      SessionOptions.defaults().withSampler(SamplerOptions.greedy());

  private static Map<String, Runnable> calls(LlamaModel model, TracedSession session) {
    Map<String, Runnable> calls = new LinkedHashMap<>();
    calls.put("generate", () -> session.generate(PROMPT, 2, token -> true));
    calls.put("evaluate", () -> session.evaluate(PROMPT, false));
    calls.put("pass", () -> session.pass(batch -> batch.add(5, 0, 0, true)));
    calls.put("read the cache", session::readCache);
    calls.put("close", session::close);
    calls.put("close the model", model::close);
    calls.put("decode", () -> session.context().decode(session.context().batch()));
    calls.put("logits", () -> session.context().logits(0));
    calls.put("clear", () -> session.context().cache().clear());
    calls.put("close the context", session.context()::close);
    return calls;
  }

  /** Makes all calls at the first event of one kind, and keeps what they threw. */
  private static final class Meddler implements SessionListener {
    private final String moment;
    private final Map<String, Runnable> calls;
    private final Map<String, Throwable> thrown = new LinkedHashMap<>();

    Meddler(String moment, Map<String, Runnable> calls) {
      this.moment = moment;
      this.calls = calls;
    }

    private void at(String now) {
      if (now.equals(moment) && thrown.isEmpty()) {
        calls.forEach(
            (name, call) -> {
              try {
                call.run();
                thrown.put(name, new AssertionError("not refused"));
              } catch (RuntimeException e) {
                thrown.put(name, e);
              }
            });
      }
    }

    @Override
    public Set<Site> rows() {
      return Set.of(Site.VALUE);
    }

    @Override
    public void onRow(Place place, int s, int p, MemorySegment values, long offset, int width) {
      at("row");
    }

    @Override
    public void onPrompt(int done, int all) {
      at("prompt");
    }

    @Override
    public void onToken(Generation.Token token) {
      at("token");
    }
  }

  private static List<Integer> ids(Generation generation) {
    return generation.tokens().stream().map(Generation.Token::id).toList();
  }

  @ParameterizedTest
  @ValueSource(strings = {"row", "prompt", "token"})
  void aCallFromACallbackSaysBusyAndChangesNothing(String moment) {
    try (var model = LlamaRuntime.load().open(FILE);
        var tracer = new ModelTracer(TracerConfig.full())) {
      List<Integer> alone;
      try (var session = TracedSession.open(model, OPTIONS, tracer)) {
        alone = ids(session.generate(PROMPT, 6, token -> true));
      }
      try (var session = TracedSession.open(model, OPTIONS, tracer)) {
        Map<String, Runnable> calls = calls(model, session);
        if (!moment.equals("row")) {
          // Between passes the context itself is free.
          calls.keySet().removeAll(Set.of("decode", "logits", "clear"));
        }
        var meddler = new Meddler(moment, calls);
        session.listen(meddler);
        assertThat(ids(session.generate(PROMPT, 6, token -> true))).isEqualTo(alone);
        assertThat(meddler.thrown.keySet()).isEqualTo(calls.keySet());
        meddler.thrown.forEach(
            (name, error) ->
                assertThat(error)
                    .as(name)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageStartingWith("busy: "));
        assertThat(ids(session.generate(PROMPT, 6, token -> true))).isEqualTo(alone);
      }
    }
  }

  @Test
  void aListenerThatLetsItThroughEndsTheTextWithIt() {
    try (var model = LlamaRuntime.load().open(FILE);
        var tracer = new ModelTracer(TracerConfig.lightweight());
        var session = TracedSession.open(model, OPTIONS, tracer)) {
      assertThatThrownBy(
              () ->
                  session.generate(
                      PROMPT,
                      3,
                      token -> {
                        session.evaluate(PROMPT, false);
                        return true;
                      }))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageStartingWith("busy: this session is at work");
      assertThat(session.generate(PROMPT, 3, token -> true).tokens()).hasSize(3);
    }
  }

  @Test
  void closingTwiceInAnyOrderDoesNothing() {
    var runtime = LlamaRuntime.load();
    var beside = runtime.beside();
    var model = beside.open(FILE);
    var tracer = new ModelTracer(TracerConfig.full());
    var session = TracedSession.open(model, OPTIONS, tracer);
    session.evaluate(PROMPT, false);
    session.nodes();
    List<AutoCloseable> all =
        List.of(session, session, model, session, model, tracer, session, tracer, model);
    assertThatCode(
            () -> {
              for (AutoCloseable one : all) {
                one.close();
              }
            })
        .doesNotThrowAnyException();
    assertThatThrownBy(() -> session.evaluate(PROMPT, false))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("this session is closed");
    // The other way round: the model takes its contexts along.
    var other = beside.open(FILE);
    var orphan = TracedSession.open(other, OPTIONS, new ModelTracer(TracerConfig.full()));
    other.close();
    orphan.close();
    orphan.close();
    beside.close();
    beside.close();
  }

  @Test
  void listenersSeeTextsWithTheirTokens() {
    var seen = new ArrayList<String>();
    var listener =
        new SessionListener() {
          @Override
          public void onBegin(List<Generation.Token> prompt) {
            seen.add(
                "begin"
                    + prompt.stream()
                        .map(t -> " %d:%d:%s".formatted(t.position(), t.id(), t.text()))
                        .collect(Collectors.joining()));
          }

          @Override
          public void onToken(Generation.Token token) {
            seen.add("token %d:%s".formatted(token.position(), token.text()));
          }

          @Override
          public void onEnd(Generation result) {
            seen.add("end " + result.tokens().size() + " " + result.finish());
          }

          @Override
          public void onFailure(Throwable failure) {
            seen.add("failure " + failure.getMessage());
          }
        };
    try (var model = LlamaRuntime.load().open(FILE);
        var tracer = new ModelTracer(TracerConfig.lightweight());
        var session = TracedSession.open(model, OPTIONS, tracer)) {
      session.listen(listener);
      int[] prompt = session.tokenize("The file");
      Generation generation = session.generate(prompt, 2, token -> true);
      var begin = new StringBuilder("begin");
      for (int i = 0; i < prompt.length; i++) {
        begin.append(" %d:%d:%s".formatted(i, prompt[i], model.vocabulary().text(prompt[i])));
      }
      assertThat(seen)
          .containsExactly(
              begin.toString(),
              "token %d:%s".formatted(prompt.length, generation.tokens().get(0).text()),
              "token %d:%s".formatted(prompt.length + 1, generation.tokens().get(1).text()),
              "end 2 LENGTH");
      seen.clear();
      session.evaluate(prompt, false);
      assertThat(seen).containsExactly(begin.toString(), "end 0 LENGTH");
      seen.clear();
      assertThatThrownBy(
              () ->
                  session.generate(
                      prompt,
                      2,
                      token -> {
                        throw new IllegalArgumentException("enough");
                      }))
          .hasMessage("enough");
      assertThat(seen).endsWith("failure enough").noneMatch(event -> event.startsWith("end"));
      // What is refused before it begins has neither beginning nor end.
      seen.clear();
      assertThatThrownBy(() -> session.evaluate(new int[0], false))
          .isInstanceOf(LlamaException.class);
      assertThat(seen).isEmpty();
    }
  }
}
