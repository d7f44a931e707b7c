package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.attention.AttentionCollector;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.model.ModelShape;
import org.modeltracer.model.Site;
import org.modeltracer.probe.ForwardProbe;
import org.modeltracer.testing.Golden;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;
import org.modeltracer.trace.TracerConfig;

/** In steady state a token costs no garbage, as the native thread's own counter tells. */
@Tag("alone")
class SessionAllocationTest {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private static final int ROUNDS = 16;
  private static final int TOKENS = 25;

  /** Counts what another observer allocates within its callbacks. */
  private static final class Counting implements TensorObserver {
    private final TensorObserver inner;
    private long bytes;
    private long observed;

    Counting(TensorObserver inner) {
      this.inner = inner;
    }

    @Override
    public boolean wants(Tensor node) {
      long before = THREADS.getCurrentThreadAllocatedBytes();
      boolean wanted = inner.wants(node);
      bytes += THREADS.getCurrentThreadAllocatedBytes() - before;
      return wanted;
    }

    @Override
    public void observe(Tensor node) {
      long before = THREADS.getCurrentThreadAllocatedBytes();
      inner.observe(node);
      bytes += THREADS.getCurrentThreadAllocatedBytes() - before;
      observed++;
    }
  }

  static Stream<Arguments> settings() {
    return Runtimes.all()
        .flatMap(
            runtime ->
                Stream.of(FlashAttention.OFF, FlashAttention.ON)
                    .map(flash -> Arguments.of(runtime, flash)));
  }

  private static ContextOptions context(FlashAttention flash) {
    return ContextOptions.defaults()
        .withContextTokens(2 * ROUNDS * TOKENS)
        .withFlashAttention(flash);
  }

  private static Set<Site> sites(TracerConfig config) {
    return SessionOptions.defaults().sites(config);
  }

  /** Least of all rounds: earlier ones are still being compiled. */
  private static long hookBytes(LlamaRuntime runtime, FlashAttention flash, TracerConfig config) {
    return hookBytes(runtime, flash, config, null);
  }

  private static long hookBytes(
      LlamaRuntime runtime,
      FlashAttention flash,
      TracerConfig config,
      @Nullable TraceListener listener) {
    try (LlamaModel model = runtime.open(Golden.model("tinyllama-mha-f32.gguf"));
        var tracer = new ModelTracer(config);
        LlamaContext context = model.context(context(flash))) {
      if (listener != null) {
        tracer.addListener(listener);
      }
      return runtime.call(
          () -> {
            ModelSurvey survey = ModelSurvey.of(context);
            var layout = new CacheLayout(survey, context.contextTokens(), 1);
            var listeners = new Listeners(sites(config));
            var probe =
                new ForwardProbe(
                    runtime, survey, layout, tracer, listeners, listeners::sites, false);
            var counting = new Counting(probe);
            context.observe(counting);
            long least = Long.MAX_VALUE;
            for (int position = 0; position < ROUNDS * TOKENS; position++) {
              if (position % TOKENS == 0) {
                counting.bytes = 0;
              }
              context.batch().clear().add(3 + position % 300, position, 0, true);
              probe.begin(context.batch(), tracer.beginForward(position, 1));
              context.decode(context.batch());
              tracer.endForward();
              if (position % TOKENS == TOKENS - 1) {
                least = Math.min(least, counting.bytes);
              }
            }
            assertThat(probe.nodesAsked()).isGreaterThan(100L * ROUNDS * TOKENS);
            assertThat(counting.observed > 0).isEqualTo(config.isEnabled());
            probe.close();
            return least;
          });
    }
  }

  @ParameterizedTest
  @MethodSource("settings")
  void hookAllocatesNothing(LlamaRuntime runtime, FlashAttention flash) {
    assertThat(hookBytes(runtime, flash, TracerConfig.disabled())).as("idle").isZero();
    assertThat(hookBytes(runtime, flash, TracerConfig.lightweight())).as("lightweight").isZero();
  }

  /** What the tracer keeps is its sample of rows; counters grow with the context, now and then. */
  @ParameterizedTest
  @MethodSource("settings")
  void analysesOfRowsAllocateNothing(LlamaRuntime runtime, FlashAttention flash) {
    var config = TracerConfig.builder().activations(true).attention(true).logits(true).build();
    var shape = new ModelShape("llama", 4, 4, 4, 64, 512, 512);
    var collector = new AttentionCollector(shape, AttentionOptions.defaults().withBytes(0, 0));
    long sampling = hookBytes(runtime, flash, config);
    assertThat(sampling / TOKENS).as("a row of the sample in a while").isLessThan(1024);
    // Code that is not compiled yet allocates a little.
    assertThat(hookBytes(runtime, flash, config, collector))
        .isLessThanOrEqualTo(sampling + 16L * TOKENS);
    assertThat(collector.collected().heads()).isNotEmpty();
  }

  /** The whole pass, with what lies around the hook: batch, call into llama.cpp, logits, cache. */
  private static long passBytes(LlamaRuntime runtime, FlashAttention flash, TracerConfig config) {
    var options = SessionOptions.defaults().withContext(context(flash));
    try (LlamaModel model = runtime.open(Golden.model("tinyllama-mha-f32.gguf"));
        var tracer = new ModelTracer(config);
        TracedSession session = TracedSession.open(model, options, tracer)) {
      return runtime.call(
          () -> {
            int[] position = {0};
            long least = Long.MAX_VALUE;
            for (int round = 0; round < ROUNDS; round++) {
              long before = THREADS.getCurrentThreadAllocatedBytes();
              for (int i = 0; i < TOKENS; i++) {
                session.pass(b -> b.add(3 + position[0] % 300, position[0]++, 0, true));
              }
              least = Math.min(least, THREADS.getCurrentThreadAllocatedBytes() - before);
            }
            return least / TOKENS;
          });
    }
  }

  @ParameterizedTest
  @MethodSource("settings")
  void tracedPassesAllocateAsLittleAsUntraced(LlamaRuntime runtime, FlashAttention flash) {
    long untraced = passBytes(runtime, flash, TracerConfig.disabled());
    assertThat(untraced).as("a list entry, the caller's lambda").isLessThan(256);
    assertThat(passBytes(runtime, flash, TracerConfig.lightweight()))
        .isLessThanOrEqualTo(untraced + 16);
  }
}
