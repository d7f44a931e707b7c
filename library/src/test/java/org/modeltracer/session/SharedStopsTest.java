package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.model.RunningStats;
import org.modeltracer.probe.ForwardProbe;
import org.modeltracer.probe.Reduced;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Golden;
import org.modeltracer.testing.Sample;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** What a product reads says the same where the product is as where it was computed itself. */
class SharedStopsTest {
  private static final int PROMPT = 7;

  /** Reduces nothing, and yet has every node stopped at. */
  private static final Reduced ELSEWHERE =
      new Reduced() {
        @Override
        public boolean addTo(RunningStats stats, Tensor node) {
          return false;
        }

        @Override
        public @Nullable MemorySegment rows(Tensor fused) {
          return null;
        }
      };

  /** Counts at how many nodes llama.cpp was stopped. */
  private static final class Stops implements TensorObserver {
    private final TensorObserver inner;
    private int count;

    Stops(TensorObserver inner) {
      this.inner = inner;
    }

    @Override
    public boolean wants(Tensor node) {
      return inner.wants(node);
    }

    @Override
    public void observe(Tensor node) {
      count++;
      inner.observe(node);
    }
  }

  /** What was seen of activations, and how often llama.cpp was stopped for it. */
  private record Traced(String activations, int stops) {}

  private static Traced trace(LlamaRuntime runtime, Path file, Reduced reduced) {
    TracerConfig config = TracerConfig.lightweight();
    try (LlamaModel model = runtime.open(file);
        var tracer = ModelTracer.quiet(config);
        LlamaContext context =
            model.context(ContextOptions.defaults().withContextTokens(64).withThreads(1))) {
      return runtime.call(
          () -> {
            ModelSurvey survey = ModelSurvey.of(context);
            var layout = new CacheLayout(survey, context.contextTokens(), 1);
            var listeners = new Listeners(SessionOptions.defaults().sites(config));
            var probe =
                new ForwardProbe(
                    runtime, survey, layout, tracer, listeners, listeners::sites, false, reduced);
            var stops = new Stops(probe);
            context.observe(stops);
            int vocabulary = model.vocabulary().size();
            for (int position = 0; position < PROMPT + 2; ) {
              context.batch().clear();
              int size = position == 0 ? PROMPT : 1;
              for (int i = 0; i < size; i++, position++) {
                context
                    .batch()
                    .add(3 + 5 * position % (vocabulary - 3), position, 0, i == size - 1);
              }
              probe.begin(context.batch(), tracer.beginForward(position - size, size));
              context.decode(context.batch());
              tracer.endForward();
            }
            probe.close();
            return new Traced(Json.pretty(tracer.activations()), stops.count);
          });
    }
  }

  static Stream<Path> files() {
    return Stream.concat(
        Stream.of("tinyllama-gqa-Q4_K_M.gguf", "rand-mixtral-f32.gguf", "rand-gpt2-f32.gguf")
            .map(Golden::model),
        Sample.of(Architectures.all(), 12).stream());
  }

  @ParameterizedTest
  @MethodSource("files")
  void saysTheSameWithFewerStops(Path file) {
    LlamaRuntime runtime = LlamaRuntime.load();
    Traced apart = trace(runtime, file, ELSEWHERE);
    Traced together = trace(runtime, file, Reduced.NOTHING);
    assertThat(together.activations).isEqualTo(apart.activations);
    assertThat(together.stops).isPositive().isLessThanOrEqualTo(apart.stops);
    if (file.toString().contains("tinyllama")) {
      // Of seven places of a layer the context and the hidden layer go into products.
      assertThat(apart.stops - together.stops).isEqualTo(3 * 4 * 2);
    }
  }
}
