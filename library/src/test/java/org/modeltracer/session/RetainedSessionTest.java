package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.attention.RetainedAttention;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.testing.Golden;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;
import org.modeltracer.trace.TracerConfig;

/** Attention kept from a session, and asked for afterwards, against what PyTorch computed. */
class RetainedSessionTest {
  private static final Golden GOLDEN = Golden.load("tinyllama-mha", "text64");

  private static RetainedAttention kept(LlamaRuntime runtime, long budget) {
    var kept = new RetainedAttention(budget);
    ContextOptions exact =
        ContextOptions.defaults()
            .withContextTokens(256)
            .withFlashAttention(FlashAttention.OFF)
            .withCacheTypes(CacheType.F32, CacheType.F32);
    try (LlamaModel model = runtime.open(GOLDEN.file());
        var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session =
            TracedSession.open(model, SessionOptions.defaults().withContext(exact), tracer)) {
      tracer.addListener(
          new TraceListener() {
            @Override
            public void onAttentionRow(AttentionRow row) {
              kept.row(row);
            }
          });
      session.evaluate(GOLDEN.ids(), false);
    }
    return kept;
  }

  private static long wholeBytes() {
    long n = GOLDEN.ids().length;
    return 4L * GOLDEN.layers() * GOLDEN.heads() * n * (n + 1) / 2;
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void everyQuestionIsAnsweredFromTheSession(LlamaRuntime runtime) {
    RetainedAttention kept = kept(runtime, wholeBytes());
    int n = GOLDEN.ids().length;
    assertThat(kept.precision()).isEqualTo("f32");
    assertThat(kept.bytes()).isEqualTo(wholeBytes());
    assertThat(kept.layers()).hasSize(GOLDEN.layers());
    for (int layer : kept.layers()) {
      assertThat(kept.heads(layer)).hasSize(GOLDEN.heads());
      float[][] mean = new float[n][n];
      for (int head : kept.heads(layer)) {
        for (int q = 0; q < n; q++) {
          float[] row = kept.from(layer, head, q);
          assertThat(row).hasSize(q + 1);
          for (int k = 0; k <= q; k++) {
            float want = GOLDEN.at("attn", layer, head, q, k);
            assertThat(row[k]).isEqualTo(want, within(1e-4f));
            assertThat(kept.to(layer, head, k)[q]).isEqualTo(row[k]);
            mean[q][k] += want / GOLDEN.heads();
          }
        }
      }
      for (int q = 0; q < n; q++) {
        assertThat(kept.from(layer, q)[q / 2]).isEqualTo(mean[q][q / 2], within(1e-4f));
        assertThat(kept.to(layer, q / 2)[q]).isEqualTo(mean[q][q / 2], within(1e-4f));
      }
      var top = kept.top(layer, 0, n - 1, 3);
      float[] row = kept.from(layer, 0, n - 1);
      for (float weight : row) {
        assertThat(top.getFirst().weight()).isGreaterThanOrEqualTo(weight);
      }
      assertThat(row[top.get(2).position()]).isEqualTo(top.get(2).weight());
    }
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void theBudgetIsKeptAndWhatItCostIsTold(LlamaRuntime runtime) {
    int last = GOLDEN.ids().length - 1;
    RetainedAttention half = kept(runtime, wholeBytes() / 2);
    assertThat(half.precision()).isEqualTo("f16");
    assertThat(half.bytes()).isLessThanOrEqualTo(wholeBytes() / 2);
    RetainedAttention few = kept(runtime, wholeBytes() / 8);
    assertThat(few.precision()).startsWith("top-");
    assertThat(few.bytes()).isLessThanOrEqualTo(wholeBytes() / 8);
    assertThat(few.leftOut()).isZero();
    for (int layer : half.layers()) {
      for (int head : half.heads(layer)) {
        double held = 0;
        for (int k = 0; k <= last; k++) {
          float want = GOLDEN.at("attn", layer, head, last, k);
          assertThat(half.from(layer, head, last)[k]).isEqualTo(want, within(6e-4f));
          float weight = few.from(layer, head, last)[k];
          assertThat(weight == 0 || Math.abs(weight - want) < 6e-4f).isTrue();
          held += weight;
        }
        assertThat(held + few.rest(layer, head, last)).isEqualTo(1, within(5e-3));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void whatIsNotThereIsTold(LlamaRuntime runtime) {
    RetainedAttention kept = kept(runtime, wholeBytes());
    int n = GOLDEN.ids().length;
    assertThatThrownBy(() -> kept.from(99, 0, 0)).hasMessageContaining("layer 99 was not captured");
    assertThatThrownBy(() -> kept.heads(-1)).hasMessageContaining("layer -1 was not captured");
    assertThatThrownBy(() -> kept.top(0, 99, 0, 1)).hasMessageContaining("L0H99 was not captured");
    assertThatThrownBy(() -> kept.from(0, 0, n))
        .hasMessage(
            "position %d of L0H0 was not captured; captured are 0 to %d".formatted(n, n - 1));
    assertThatThrownBy(() -> kept.to(0, 0, n)).hasMessageContaining("not among the keys of L0H0");
  }
}
