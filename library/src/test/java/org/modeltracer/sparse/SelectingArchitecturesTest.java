package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.graph.TensorData;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Tensor;
import org.modeltracer.llama.TensorObserver;
import org.modeltracer.session.RunningPass;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.SelectingModels;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * Every architecture with an indexer: what is computed over all keys, cut to the selected ones, is
 * what llama.cpp's own softmax then has.
 */
class SelectingArchitecturesTest {
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();
  private static final int TOKENS = 120;

  @TempDir private Path folder;

  private static SessionOptions options(FlashAttention fused) {
    SessionOptions usual = IndexerTraceTest.options(fused, 50);
    return usual.withContext(usual.context().withCacheTypes(CacheType.F32, CacheType.F32));
  }

  private IndexerReport run(String architecture, FlashAttention fused, Softmax beside) {
    try (var model = RUNTIME.open(SelectingModels.of(architecture).write(folder));
        var tracer = ModelTracer.quiet(TracerConfig.builder().build());
        var session = TracedSession.open(model, options(fused), tracer);
        var trace = IndexerTrace.attach(session)) {
      session.follow(beside.of(session.running()));
      session.evaluate(IndexedModel.prompt(TOKENS), false);
      beside.data.close();
      return trace.report();
    }
  }

  /**
   * @param layers layers that select
   * @param k keys that each selects
   * @param tokens tokens that a key stands for
   * @param from first column of a row of attention that is selected
   */
  @ParameterizedTest
  @CsvSource({
    "deepseek4, 0, 8, 4, 256",
    "dots3note, 1, 8, 1, 0",
    "glm-dsa, 0 1, 8, 1, 0",
    "hy_v4, 0 1, 8, 1, 0",
    "qwen4exp, 1, 11, 1, 0"
  })
  void attentionToSelectedKeysIsThatOfTheGraph(
      String architecture, String layers, int k, int tokens, int from) {
    int least = tokens * (k + 1) - 1;
    var softmax = new Softmax(from, least);
    IndexerReport report = run(architecture, FlashAttention.OFF, softmax);
    assertThat(report.exercised()).isTrue();
    assertThat(report.layers().stream().map(l -> String.valueOf(l.layer())).toList())
        .containsExactly(layers.split(" "));
    for (IndexedLayer layer : report.layers()) {
      assertThat(layer.absent()).isNull();
      assertThat(layer.topK()).isEqualTo(k);
      assertThat(layer.compressed()).isEqualTo(tokens > 1);
      assertThat(layer.measured()).isEqualTo(TOKENS - least);
      assertThat(layer.recall()).isBetween(0.05, layer.best());
      // Keys of one pool have one score, and those that all heads cut off have none.
      assertThat(layer.selectionAuc()).isGreaterThan(0.95);
      assertThat(layer.contrasts()).hasSize(2);
      for (HeadContrast head : layer.contrasts()) {
        assertThat(head.entropySelected())
            .isCloseTo(softmax.entropy(layer.layer(), head.head()), within(2e-3));
        assertThat(head.entropySelected()).isLessThan(head.entropy());
      }
    }
    // What flash attention leaves in memory gives the same.
    IndexerReport fused = run(architecture, FlashAttention.ON, new Softmax(from, least));
    for (int l = 0; l < report.layers().size(); l++) {
      assertThat(fused.layers().get(l).recall())
          .isCloseTo(report.layers().get(l).recall(), within(0.01));
    }
  }

  /** Blocks that are selected are those that the graph's own mask leaves to each group of heads. */
  @Test
  void blocksOfEachGroupAreThoseOfTheMask() {
    try (var model = RUNTIME.open(SelectingModels.of("minimax-m3").write(folder));
        var tracer = ModelTracer.quiet(TracerConfig.builder().build());
        var session = TracedSession.open(model, options(FlashAttention.ON), tracer);
        var trace = IndexerTrace.attach(session)) {
      var mask = new Mask();
      session.follow(mask);
      try (var _ = SelectionTrace.attach(session, mask::compare)) {
        session.evaluate(IndexedModel.prompt(TOKENS), false);
      }
      mask.data.close();
      assertThat(mask.compared).isEqualTo(2 * TOKENS);
      IndexedLayer layer = trace.report().layers().getFirst();
      int keys = 8 * SelectingModels.TOP_K;
      assertThat(layer.layer()).isEqualTo(1);
      assertThat(layer.topK()).isEqualTo(keys);
      assertThat(layer.measured()).isEqualTo(2L * (TOKENS - keys));
      assertThat(layer.recall()).isBetween(0.8 * layer.chance(), layer.best());
      assertThat(layer.contrasts()).extracting(HeadContrast::head).containsExactly(0, 1);
      assertThat(layer.divergence()).as("local blocks have a score of their own").isNull();
    }
  }

  /** What the mask of the layer's attention leaves, {@code [key, query, 1, group]}. */
  private static final class Mask implements TensorObserver {
    private final TensorData data = new TensorData(RUNTIME, false);
    private final List<Set<Integer>> visible = new ArrayList<>();
    private int next;
    private int compared;

    @Override
    public boolean wants(Tensor node) {
      return node.name().equals("msa_mask4-1");
    }

    @Override
    public void observe(Tensor node) {
      visible.clear();
      next = 0;
      data.open(node);
      for (int q = 0; q < node.ne(1); q++) {
        for (int g = 0; g < node.ne(3); g++) {
          var keys = new TreeSet<Integer>();
          var row = data.floats(q * node.nb(1) + g * node.nb(3), node.ne(0));
          for (int i = 0; i < node.ne(0); i++) {
            if (row.get(ValueLayout.JAVA_FLOAT_UNALIGNED, data.rowOffset() + 4L * i) == 0) {
              keys.add(i);
            }
          }
          visible.add(keys);
        }
      }
    }

    void compare(IndexedQuery query) {
      var selected = new TreeSet<Integer>();
      for (int i = 0; i < query.size(); i++) {
        if (query.selects(i)) {
          selected.add(query.key(i));
        }
      }
      assertThat(selected).isEqualTo(visible.get(next++));
      compared++;
    }
  }

  /** Means of the entropy of rows from a column on, as the graph has them. */
  private static final class Softmax implements TensorObserver {
    private final TensorData data = new TensorData(RUNTIME, false);
    private final Map<String, MeanSum> entropies = new TreeMap<>();
    private final int from;
    private final int least;
    private @Nullable RunningPass pass;

    Softmax(int from, int least) {
      this.from = from;
      this.least = least;
    }

    TensorObserver of(RunningPass running) {
      pass = running;
      return this;
    }

    @Override
    public boolean wants(Tensor node) {
      return node.name().startsWith("kq_soft_max-");
    }

    @Override
    public void observe(Tensor node) {
      var values = data.open(node);
      for (int h = 0; h < node.ne(2); h++) {
        for (int q = 0; q < node.ne(1); q++) {
          var row = new double[(int) node.ne(0) - from];
          double sum = 0;
          for (int i = 0; i < row.length; i++) {
            long at = h * node.nb(2) + q * node.nb(1) + 4L * (from + i);
            row[i] = values.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at);
            sum += row[i];
          }
          double nats = 0;
          for (double weight : row) {
            nats -= weight > 0 ? weight / sum * Math.log(weight / sum) : 0;
          }
          if (Objects.requireNonNull(pass).position(q, false) >= least) {
            entropies.computeIfAbsent(node.name() + " " + h, key -> new MeanSum()).add(nats);
          }
        }
      }
    }

    double entropy(int layer, int head) {
      return entropies.get("kq_soft_max-" + layer + " " + head).orZero();
    }
  }
}
