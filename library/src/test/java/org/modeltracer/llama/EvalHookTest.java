package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Golden;

class EvalHookTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";
  private static final Golden GOLDEN = Golden.load("tinyllama-mha", "short");

  /** Wants what a test says and does what a test says. */
  private record Scripted(Predicate<Tensor> wants, Consumer<Tensor> observe)
      implements TensorObserver {
    @Override
    public boolean wants(Tensor node) {
      return wants.test(node);
    }

    @Override
    public void observe(Tensor node) {
      observe.accept(node);
    }
  }

  private static final TensorObserver NOTHING = new Scripted(node -> false, node -> {});
  private static final TensorObserver EVERYTHING = new Scripted(node -> true, node -> {});

  private interface Test {
    void run(LlamaContext context);
  }

  private static void on(LlamaRuntime runtime, ContextOptions options, Test test) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(options)) {
      test.run(context);
    }
  }

  /** Logits of a prompt and of a token after it, so that both kinds of graph are seen. */
  private static float[][] twoPasses(LlamaContext context) {
    context.cache().clear();
    float[][] prompt = Passes.decode(context, GOLDEN.ids(), 0);
    float[][] next = Passes.decode(context, new int[] {15}, GOLDEN.ids().length);
    return new float[][] {prompt[3], prompt[21], next[0]};
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void observingDoesNotChangeABit(LlamaRuntime runtime) {
    for (FlashAttention flash : new FlashAttention[] {FlashAttention.OFF, FlashAttention.ON}) {
      ContextOptions options =
          ContextOptions.defaults().withContextTokens(256).withFlashAttention(flash);
      var expected = new ArrayList<float[][]>();
      on(runtime, options.withHook(false), context -> expected.add(twoPasses(context)));
      on(
          runtime,
          options,
          context -> {
            for (TensorObserver observer : new TensorObserver[] {null, NOTHING, EVERYTHING}) {
              context.observe(observer);
              assertThat(twoPasses(context)).isDeepEqualTo(expected.getFirst());
            }
          });
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aContextWithoutAHookCannotBeObserved(LlamaRuntime runtime) {
    on(
        runtime,
        Passes.EXACT.withHook(false),
        context ->
            assertThatThrownBy(() -> context.observe(NOTHING))
                .isInstanceOf(LlamaException.class)
                .hasMessage("this context was set up without a hook"));
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void everyNodeIsAskedForOnceAPassAndDeliveredInOrderWhenWanted(LlamaRuntime runtime) {
    on(
        runtime,
        Passes.EXACT,
        context -> {
          var asked = new ArrayList<Long>();
          var names = new ArrayList<String>();
          var wanted = new ArrayList<Long>();
          var delivered = new ArrayList<Long>();
          context.observe(
              new Scripted(
                  node -> {
                    asked.add(node.address());
                    names.add(node.name());
                    boolean want = asked.size() % 3 == 0;
                    if (want) {
                      wanted.add(node.address());
                    }
                    return want;
                  },
                  node -> {
                    delivered.add(node.address());
                    // Between the ask that was answered with true and this there is nothing.
                    assertThat(asked.getLast()).isEqualTo(node.address());
                  }));
          Passes.decode(context, GOLDEN.ids(), 0);
          int nodes = asked.size();
          assertThat(nodes).isGreaterThan(100);
          assertThat(new HashSet<>(asked)).hasSize(nodes);
          assertThat(delivered).isEqualTo(wanted).hasSize(nodes / 3);
          assertThat(names.getLast()).isEqualTo("result_output");
          assertThat(names.indexOf("l_out-0")).isPositive().isLessThan(names.indexOf("l_out-1"));
          assertThat(names.indexOf("l_out-3")).isLessThan(names.indexOf("result_norm"));

          List<String> first = List.copyOf(names);
          names.clear();
          asked.clear();
          Passes.fresh(context, GOLDEN.ids());
          assertThat(names).isEqualTo(first);
        });
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aMicroBatchIsAPassOfItsOwn(LlamaRuntime runtime) {
    on(
        runtime,
        Passes.EXACT.withBatch(64, 7),
        context -> {
          var tokens = new ArrayList<Long>();
          context.observe(
              new Scripted(
                  node -> {
                    if (node.name().equals("l_out-0")) {
                      tokens.add(node.ne(1));
                    }
                    return false;
                  },
                  node -> {}));
          Passes.decode(context, GOLDEN.ids(), 0);
          assertThat(tokens).containsExactly(7L, 7L, 7L, 1L);
        });
  }

  private static final class Surprise extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private static TensorObserver throwing(
      boolean whenAsked, Throwable failure, AtomicInteger calls) {
    Consumer<Tensor> fail =
        node -> {
          if (node.name().equals("l_out-1")) {
            calls.incrementAndGet();
            if (failure instanceof Error error) {
              throw error;
            }
            throw (RuntimeException) failure;
          }
        };
    return whenAsked
        ? new Scripted(
            node -> {
              fail.accept(node);
              return false;
            },
            node -> {})
        : new Scripted(node -> true, fail);
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void whatAnObserverThrowsComesOutOfDecodeAndTheContextGoesOn(LlamaRuntime runtime) {
    on(
        runtime,
        Passes.EXACT,
        context -> {
          for (boolean whenAsked : new boolean[] {true, false}) {
            for (Throwable failure : List.of(new Surprise(), new StackOverflowError("made up"))) {
              var calls = new AtomicInteger();
              context.observe(throwing(whenAsked, failure, calls));
              Batch batch = Passes.fill(context, GOLDEN.ids(), 0);
              assertThatThrownBy(() -> context.decode(batch)).isSameAs(failure);
              assertThat(calls).as("calls after the first throw").hasValue(1);

              context.observe(null);
              context.cache().clear();
              float[][] logits = Passes.decode(context, GOLDEN.ids(), 0);
              assertThat(Passes.distance(logits, GOLDEN.logits())).isLessThan(1e-4);
              context.cache().clear();
            }
          }
        });
  }

  /** The rest of the pass ran unobserved, so even without clearing the cache all is written. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aPassWhoseObserverThrewIsStillWhole(LlamaRuntime runtime) {
    on(
        runtime,
        Passes.EXACT,
        context -> {
          int[] head = Passes.slice(GOLDEN.ids(), 0, 20);
          context.observe(throwing(false, new Surprise(), new AtomicInteger()));
          assertThatThrownBy(() -> context.decode(Passes.fill(context, head, 0)))
              .isInstanceOf(Surprise.class);
          context.observe(null);
          float[][] tail = Passes.decode(context, Passes.slice(GOLDEN.ids(), 20, 22), 20);
          assertThat(Passes.distance(tail[1], GOLDEN.logits()[21])).isLessThan(1e-4);
        });
  }
}
