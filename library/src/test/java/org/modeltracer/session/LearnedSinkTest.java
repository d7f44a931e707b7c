package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Op;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.Weights;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Rows of gpt-oss lack what its learned sinks take, and that is what the file's sinks take. */
class LearnedSinkTest {
  private static final int TOKENS = 24;

  /** Collects the raw scores, {@code [head][query][key]} by layer, before they are overwritten. */
  private static final class Scores implements TensorObserver {
    final Map<Integer, float[]> byLayer = new HashMap<>();
    final Map<Integer, long[]> shapes = new HashMap<>();
    final Map<Integer, Float> scales = new HashMap<>();

    @Override
    public boolean wants(Tensor node) {
      if (node.op() == Op.SOFT_MAX && node.name().startsWith("kq_soft_max-")) {
        scales.put(layer(node), node.floatParam(0));
      }
      return node.name().startsWith("kq-");
    }

    @Override
    public void observe(Tensor node) {
      byLayer.put(layer(node), node.hostData().toArray(ValueLayout.JAVA_FLOAT));
      shapes.put(layer(node), new long[] {node.ne(0), node.ne(1), node.ne(2)});
    }

    private static int layer(Tensor node) {
      return Integer.parseInt(node.name().substring(node.name().lastIndexOf('-') + 1));
    }
  }

  @Test
  void rowsAreSoftmaxWithTheSinkInTheDenominator() {
    Path file = Architectures.model("gpt-oss-moe-f16");
    for (var named : (Iterable<Named<LlamaRuntime>>) Runtimes.all()::iterator) {
      LlamaRuntime runtime = named.getPayload();
      if (runtime.version().equals("b4916")) {
        continue;
      }
      int[] ids = new Random(3).ints(TOKENS, 0, 128).toArray();
      ContextOptions options =
          ContextOptions.defaults()
              .withContextTokens(256)
              .withFlashAttention(FlashAttention.OFF)
              .withCacheTypes(CacheType.F32, CacheType.F32);
      try (LlamaModel model = runtime.open(file)) {
        Scores scores = scores(model, options, ids);
        for (FlashAttention flash : FlashAttention.values()) {
          require(
              rows(model, options.withFlashAttention(flash), ids),
              scores,
              new Weights(file),
              flash == FlashAttention.OFF ? 1e-5 : 2e-3);
        }
      }
    }
  }

  private static Scores scores(LlamaModel model, ContextOptions options, int[] ids) {
    try (LlamaContext context = model.context(options)) {
      var scores = new Scores();
      return model
          .runtime()
          .call(
              () -> {
                var batch = context.batch().clear();
                for (int i = 0; i < ids.length; i++) {
                  batch.add(ids[i], i, 0, true);
                }
                context.observe(scores);
                context.decode(batch);
                return scores;
              });
    }
  }

  private static Seen rows(LlamaModel model, ContextOptions options, int[] ids) {
    try (var tracer = new ModelTracer(TracerConfig.full());
        TracedSession session =
            TracedSession.open(model, SessionOptions.defaults().withContext(options), tracer)) {
      Seen seen = Seen.of(session, tracer);
      session.evaluate(ids, true);
      return seen;
    }
  }

  private static void require(Seen seen, Scores scores, Weights weights, double tolerance) {
    assertThat(seen.rows).isNotEmpty();
    long headWidth =
        weights.file().metadata().integer("gpt-oss.attention.key_length").orElseThrow();
    seen.rows.forEach(
        (id, row) -> {
          float sink = weights.get("blk." + id.layer() + ".attn_sinks.weight")[id.head()];
          long[] shape = scores.shapes.get(id.layer());
          float[] kq = scores.byLayer.get(id.layer());
          float scale = scores.scales.get(id.layer());
          assertThat(scale).isEqualTo((float) (1 / Math.sqrt((double) headWidth)));
          int from = (int) ((id.head() * shape[1] + id.query()) * shape[0]);
          int first = row.keys()[0];
          double[] e =
              IntStream.rangeClosed(first, id.query())
                  .mapToDouble(cell -> Math.exp(scale * kq[from + cell]))
                  .toArray();
          double sum = Math.exp(sink) + Arrays.stream(e).sum();
          assertThat(row.keys()).hasSize(e.length);
          for (int i = 0; i < e.length; i++) {
            assertThat(Math.abs(row.weights()[i] - e[i] / sum)).isLessThan(tolerance);
          }
          assertThat(Math.abs(1 - row.sum() - Math.exp(sink) / sum))
              .isLessThan(e.length * tolerance);
        });
  }
}
