package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.testing.Npz;
import org.modeltracer.testing.Shared;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TraceListener;
import org.modeltracer.trace.TracerConfig;

/** Published weights, against float64 forward passes from the original ones. */
@Tag("truth")
class RealWeightsTest {
  /**
   * MiniLM's file is F16, and ggml's GELU the tanh form; its hidden states are of size 1 and differ
   * by 1.1e-3 at most.
   */
  @ParameterizedTest
  @CsvSource({
    "stories260K-f32.gguf, ref_stories_lily.npz, '', 5, 8, 64, 1e-5, 1e-5",
    "minilm-l2-f16.gguf, ref_minilm_l2.npz, _tanh, 2, 12, 384, 1e-3, 1.5e-3"
  })
  void attentionAndStatesAreThoseOfTheReference(
      String model,
      String archive,
      String suffix,
      int layers,
      int heads,
      int width,
      double attentionTolerance,
      double stateTolerance) {
    var file = Shared.file("real", model);
    var reference = new Npz(Shared.file("real", archive));
    int[] ids = reference.ints("ids");
    int n = ids.length;
    double[] attention = reference.doubles("attn" + suffix);
    double[] hidden = reference.doubles("hidden" + suffix);
    double[] seenAttention = new double[attention.length];
    double[] seenHidden = new double[hidden.length];
    var rows =
        new TraceListener() {
          @Override
          public void onAttentionRow(AttentionRow row) {
            int at = ((row.layer() * heads + row.head()) * n + row.query()) * n;
            for (int i = 0; i < row.size(); i++) {
              seenAttention[at + row.key(i)] = row.weight(i);
            }
          }
        };
    var states =
        new SessionListener() {
          @Override
          public boolean states() {
            return true;
          }

          @Override
          public void onState(
              int layer, int sequence, int position, MemorySegment values, long offset, int size) {
            for (int i = 0; layer >= 0 && i < size; i++) {
              seenHidden[(layer * n + position) * width + i] =
                  values.get(ValueLayout.JAVA_FLOAT_UNALIGNED, offset + 4L * i);
            }
          }
        };
    var context =
        ContextOptions.defaults()
            .withContextTokens(128)
            .withFlashAttention(FlashAttention.OFF)
            .withCacheTypes(CacheType.F32, CacheType.F32);
    try (var loaded = LlamaRuntime.load().open(file);
        var tracer = new ModelTracer(TracerConfig.builder().attention(true).build());
        var session =
            TracedSession.open(loaded, SessionOptions.defaults().withContext(context), tracer)) {
      assertThat(session.layers()).hasSize(layers);
      tracer.addListener(rows);
      session.listen(states);
      session.evaluate(ids, true);
    }
    assertThat(largest(attention, seenAttention)).isLessThan(attentionTolerance);
    assertThat(largest(hidden, seenHidden)).isLessThan(stateTolerance);
  }

  private static double largest(double[] expected, double[] seen) {
    double largest = 0;
    for (int i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i] - seen[i]));
    }
    return largest;
  }
}
