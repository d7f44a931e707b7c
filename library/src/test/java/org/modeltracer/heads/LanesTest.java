package org.modeltracer.heads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.kernels.Lanes;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.Golden;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;
import org.modeltracer.trace.TracerConfig;

/** Rows that two threads read give what one thread gives: with scalar kernels bit for bit. */
@Tag("alone")
class LanesTest {
  private static final int TOKENS = 120;

  /** Notes which threads hand over rows. */
  private static final class Threads implements TraceListener {
    private final boolean both;
    private final Set<String> names = new ConcurrentSkipListSet<>();

    Threads(boolean both) {
      this.both = both;
    }

    @Override
    public boolean inLanes() {
      return both;
    }

    @Override
    public void onAttentionRow(AttentionRow row) {
      names.add(Thread.currentThread().getName() + " " + (both ? row.lane() : ""));
    }
  }

  /** What is known afterwards: threads, analysis and summary as JSON, anomalies. */
  private record Traced(int threads, String analysis, String summary, List<String> anomalies) {}

  private static Traced trace(Path file, FlashAttention flash, boolean both) {
    var context =
        ContextOptions.defaults().withContextTokens(256).withThreads(2).withFlashAttention(flash);
    var config = TracerConfig.builder().attention(true).kvCache(true).build();
    var threads = new Threads(both);
    try (var model = LlamaRuntime.load().open(file);
        var tracer = ModelTracer.quiet(config);
        var session =
            TracedSession.open(model, SessionOptions.defaults().withContext(context), tracer)) {
      var trace =
          new AttentionTrace(
              model, GgufFile.read(file), AttentionOptions.defaults(), Double.POSITIVE_INFINITY);
      trace.attach(tracer, session);
      tracer.addListener(threads);
      var random = new Random(7);
      int[] ids = IntStream.generate(() -> 3 + random.nextInt(300)).limit(TOKENS).toArray();
      trace.begin(ids);
      session.evaluate(Arrays.copyOf(ids, TOKENS - 2), true);
      session.evaluate(ids, true);
      return new Traced(
          threads.names.size(),
          Json.pretty(trace.analysis()),
          tracer.summaryToJson().replaceAll("(?m)^.*(time|seconds).*$", ""),
          tracer.anomalies().stream().map(Anomaly::toString).toList());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "tinyllama-mha-f32.gguf, OFF",
    "tinyllama-mha-f32.gguf, ON",
    "tinyllama-gqa-Q8_0.gguf, ON",
    "rand-gemma2-f32.gguf, ON",
    "rand-gpt2-f32.gguf, OFF"
  })
  void twoThreadsGiveWhatOneGives(String name, FlashAttention flash) {
    Path file = Golden.model(name);
    Traced one = trace(file, flash, false);
    Traced two = trace(file, flash, true);
    assertThat(one.threads).isEqualTo(1);
    assertThat(two.threads).as("threads that read rows").isEqualTo(2);
    assertThat(two.analysis).isEqualTo(one.analysis);
    assertThat(two.summary).isEqualTo(one.summary);
    assertThat(two.anomalies).isEqualTo(one.anomalies);
  }

  @Test
  void whatALaneThrowsIsThrownOnceBothHaveEnded() {
    for (int failing = 0; failing < Lanes.COUNT; failing++) {
      int bad = failing;
      var ended = new TreeSet<Integer>();
      assertThatThrownBy(
              () ->
                  Lanes.run(
                      lane -> {
                        if (lane == bad) {
                          throw new IllegalStateException("lane " + lane);
                        }
                        synchronized (ended) {
                          ended.add(lane);
                        }
                      }))
          .hasMessage("lane " + bad);
      assertThat(ended).containsExactly(1 - bad);
    }
  }

  @Test
  void lanesWithinLanesAreDoneByTheSameThread() {
    List<String> done = new ArrayList<>();
    Lanes.run(
        outer ->
            Lanes.run(
                inner -> {
                  synchronized (done) {
                    done.add(outer + " " + inner);
                  }
                }));
    assertThat(done).containsExactlyInAnyOrder("0 0", "0 1", "1 0", "1 1");
  }
}
