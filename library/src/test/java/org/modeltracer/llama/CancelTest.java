package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Golden;

class CancelTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";
  private static final Golden GOLDEN = Golden.load("tinyllama-mha", "text64");

  private static void expectCancelled(LlamaContext context, Batch batch) {
    assertThatThrownBy(() -> context.decode(batch))
        .isInstanceOfSatisfying(
            LlamaException.class,
            e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.CANCELLED))
        .hasMessage("the forward pass was cancelled");
  }

  private static void expectSound(LlamaContext context) {
    context.cache().clear();
    float[][] logits = Passes.decode(context, GOLDEN.ids(), 0);
    assertThat(Passes.distance(logits, GOLDEN.logits())).isLessThan(1e-4);
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void anObserverCancelsTheThirdMicroBatch(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT.withBatch(64, 16))) {
      context.observe(
          new TensorObserver() {
            private int passes;
            private int after;

            @Override
            public boolean wants(Tensor node) {
              after += context.cancelRequested() ? 1 : 0;
              return node.name().equals("l_out-0");
            }

            @Override
            public void observe(Tensor node) {
              if (++passes == 3) {
                context.cancel();
              }
              assertThat(after).as("nodes computed after cancelling").isZero();
            }
          });
      expectCancelled(context, Passes.fill(context, GOLDEN.ids(), 0));
      assertThat(context.cancelRequested()).isTrue();
      context.cache().clear();
      expectCancelled(context, Passes.fill(context, GOLDEN.ids(), 0));
      context.observe(null);
      context.resume();
      assertThat(context.cancelRequested()).isFalse();
      expectSound(context);
    }
  }

  /** Recent generations keep the micro batches before the cancelled one, older ones none. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aCancelledPassCanBeTakenUpWhereTheCacheEnds(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT.withBatch(64, 16))) {
      context.observe(
          new TensorObserver() {
            private int passes;

            @Override
            public boolean wants(Tensor node) {
              return node.name().equals("l_out-2");
            }

            @Override
            public void observe(Tensor node) {
              if (++passes == 3) {
                context.cancel();
              }
            }
          });
      expectCancelled(context, Passes.fill(context, GOLDEN.ids(), 0));
      context.observe(null);
      context.resume();
      int kept = context.cache().lastPosition(0) + 1;
      assertThat(kept).isIn(0, 32);
      float[][] rest = Passes.decode(context, Passes.slice(GOLDEN.ids(), kept, 64), kept);
      assertThat(Passes.distance(rest[63 - kept], GOLDEN.logits()[63])).isLessThan(1e-4);
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void anotherThreadCancels(LlamaRuntime runtime) throws InterruptedException {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT)) {
      var inside = new CountDownLatch(1);
      var cancelled = new CountDownLatch(1);
      context.observe(
          new TensorObserver() {
            @Override
            public boolean wants(Tensor node) {
              return node.name().equals("l_out-1");
            }

            @Override
            public void observe(Tensor node) {
              inside.countDown();
              try {
                assertThat(cancelled.await(30, TimeUnit.SECONDS)).isTrue();
              } catch (InterruptedException e) {
                throw new AssertionError(e);
              }
            }
          });
      Thread canceller =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      inside.await();
                    } catch (InterruptedException e) {
                      return;
                    }
                    context.cancel();
                    cancelled.countDown();
                  });
      expectCancelled(context, Passes.fill(context, GOLDEN.ids(), 0));
      canceller.join();
      context.observe(null);
      context.resume();
      expectSound(context);
    }
  }
}
