package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.IndexedModel.Kind;
import org.modeltracer.testing.Architectures;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Indexers that are made to be right, to be wrong in a known way, or to know nothing. */
class IndexerTraceTest {
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();
  private static final int K = IndexedModel.TOP_K;

  @TempDir private Path folder;

  static SessionOptions options(FlashAttention fused, int microBatch) {
    return SessionOptions.defaults()
        .withContext(
            ContextOptions.defaults()
                .withContextTokens(256)
                .withBatch(256, microBatch)
                .withThreads(1)
                .withFlashAttention(fused))
        .withReusePrefix(false);
  }

  private IndexerReport run(Kind kind, FlashAttention fused, int microBatch, int... lengths) {
    return run(IndexedModel.write(kind, folder), fused, microBatch, lengths);
  }

  private static IndexerReport run(
      Path file, FlashAttention fused, int microBatch, int... lengths) {
    try (var model = RUNTIME.open(file);
        var tracer = new ModelTracer(TracerConfig.builder().build());
        var session = TracedSession.open(model, options(fused, microBatch), tracer);
        var trace = IndexerTrace.attach(session)) {
      assertThat(trace.applies()).isTrue();
      for (int length : lengths) {
        trace.begin();
        session.evaluate(IndexedModel.prompt(length), false);
      }
      return trace.report();
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = FlashAttention.class,
      names = {"ON", "OFF"})
  void theIdealIndexerCoversWhatCanBeCovered(FlashAttention fused) {
    IndexerReport report = run(Kind.IDEAL, fused, 256, 128);
    assertThat(report.layers()).hasSize(2);
    assertThat(report.layerOverlap()).isDeepEqualTo(new double[][] {{1, 1}, {1, 1}});
    for (IndexedLayer layer : report.layers()) {
      assertThat(layer.queries()).isEqualTo(128);
      assertThat(layer.exercised()).isEqualTo(128 - K);
      assertThat(layer.recall()).isCloseTo(layer.best(), within(1e-3));
      assertThat(layer.recall()).isGreaterThan(1.5 * layer.chance());
      assertThat(layer.overlap()).isGreaterThan(0.99);
      assertThat(layer.divergence()).isLessThan(1e-3);
      assertThat(layer.scoreScale()).isEqualTo(1);
      assertThat(layer.auc()).isGreaterThan(0.999);
      assertThat(layer.selectionAuc()).isEqualTo(1);
      assertThat(layer.diagnosis().mistake()).isNull();
      assertThat(layer.diagnosis().untried()).isNull();
    }
  }

  @Test
  void anIndexerThatKnowsNothingSelectsByChanceAndIsNotDiagnosed() {
    IndexerReport report = run(Kind.SHUFFLED, FlashAttention.ON, 256, 128);
    for (IndexedLayer layer : report.layers()) {
      assertThat(layer.recall()).isCloseTo(layer.chance(), within(0.06));
      assertThat(layer.auc()).isCloseTo(0.5, within(0.06));
      assertThat(layer.diagnosis().mistake()).isNull();
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"IDEAL", "SHUFFLED"},
      mode = Mode.EXCLUDE)
  void aPlantedMistakeIsNamedAtTwiceTheSelection(Kind kind) {
    IndexerReport report = run(kind, FlashAttention.ON, 256, 2 * K);
    for (IndexedLayer layer : report.layers()) {
      assertThat(layer.diagnosis().mistake()).isEqualTo(PortMistake.valueOf(kind.name()));
      assertThat(layer.diagnosis().recallUndone()).isCloseTo(layer.best(), within(2e-3));
    }
  }

  /** Against the model's formula, in double precision, key by key and set by set. */
  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"IDEAL", "SHUFFLED"})
  void qualitiesAreThoseOfTheFormula(Kind kind) {
    int[] prompt = IndexedModel.prompt(100);
    double[][] attention = IndexedModel.attention(prompt);
    double[][] scores = IndexedModel.indexScores(kind, prompt);
    double recall = 0;
    double overlap = 0;
    double iou = 0;
    double distance = 0;
    int n = prompt.length - K;
    for (int t = K; t < prompt.length; t++) {
      Set<Integer> selected = largest(scores[t]);
      Set<Integer> best = largest(attention[t]);
      double[] weights = attention[t];
      int query = t;
      recall += selected.stream().mapToDouble(s -> weights[s]).sum() / n;
      distance += selected.stream().mapToDouble(s -> query - s).sum() / n / K;
      var both = new HashSet<>(selected);
      both.retainAll(best);
      overlap += (double) both.size() / K / n;
      var either = new HashSet<>(selected);
      either.addAll(best);
      iou += (double) both.size() / either.size() / n;
    }
    for (IndexedLayer layer : run(kind, FlashAttention.ON, 256, 100).layers()) {
      assertThat(layer.recall()).isCloseTo(recall, within(2e-3));
      assertThat(layer.overlap()).isCloseTo(overlap, within(5e-3));
      assertThat(layer.iou()).isCloseTo(iou, within(1e-2));
      assertThat(layer.distanceMean()).isCloseTo(distance, within(0.2));
    }
  }

  private static Set<Integer> largest(double[] values) {
    return Set.copyOf(
        IntStream.range(0, values.length)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> -values[i]))
            .limit(K)
            .toList());
  }

  @Test
  void graphsOfFewTokensGiveTheSameNumbers() {
    IndexedLayer whole = run(Kind.SHUFFLED, FlashAttention.ON, 256, 90).layers().getFirst();
    IndexedLayer parts = run(Kind.SHUFFLED, FlashAttention.OFF, 7, 90).layers().getFirst();
    assertThat(parts.exercised()).isEqualTo(whole.exercised());
    assertThat(parts.recall()).isCloseTo(whole.recall(), within(2e-3));
    assertThat(parts.selectedAt()).containsExactly(whole.selectedAt(), within(0.05));
  }

  @Test
  void tracesOfSeveralPromptsMerge() {
    Path file = IndexedModel.write(Kind.SHUFFLED, folder);
    IndexerReport together = run(file, FlashAttention.ON, 256, 60, 90);
    try (var model = RUNTIME.open(file);
        var tracer = new ModelTracer(TracerConfig.builder().build());
        var session = TracedSession.open(model, options(FlashAttention.ON, 256), tracer)) {
      var first = IndexerTrace.attach(session);
      first.begin();
      session.evaluate(IndexedModel.prompt(60), false);
      first.close();
      var second = IndexerTrace.attach(session);
      second.begin();
      session.evaluate(IndexedModel.prompt(90), false);
      second.close();
      first.merge(second);
      assertThat(first.report())
          .usingRecursiveComparison()
          .withEqualsForType((a, b) -> Math.abs(a - b) < 1e-9 || a.equals(b), Double.class)
          .ignoringFieldsMatchingRegexes(".*significance")
          .isEqualTo(together);
    }
  }

  @Test
  void whatSeesNoMoreThanItSelectsIsNotExercised() {
    IndexerReport report = run(Kind.SHUFFLED, FlashAttention.ON, 256, K);
    assertThat(report.exercised()).isFalse();
    assertThat(report.notExercised()).contains("no query saw more keys than the 32");
    IndexedLayer layer = report.layers().getFirst();
    assertThat(layer.queries()).isEqualTo(K);
    assertThat(layer.exercised()).isZero();
    assertThat(layer.recall()).isNull();
    assertThat(layer.diagnosis()).isNull();
    assertThat(layer.scores().count()).isEqualTo(K * (K + 1) / 2);
  }

  /** The fused operation's scores are the sums of those of its heads. */
  @Test
  void scoresOfHeadsAddUpToThoseOfTheFusedOperation() {
    List<Path> files =
        Architectures.all().stream().filter(f -> f.toString().contains("deepseek32")).toList();
    assertThat(files).isNotEmpty();
    for (Path file : files) {
      double worst = 0;
      long compared = 0;
      try (var model = RUNTIME.open(file);
          var tracer = new ModelTracer(TracerConfig.builder().build());
          var session = TracedSession.open(model, options(FlashAttention.OFF, 256), tracer)) {
        var sums = new HeadSums();
        var unlimited = new Allowance(Double.POSITIVE_INFINITY);
        session.follow(new IndexerReader(session, unlimited, sums));
        session.evaluate(IntStream.range(0, 40).map(i -> i * 37 % 128).toArray(), false);
        worst = sums.worst;
        compared = sums.compared;
      }
      assertThat(compared).isEqualTo(2 * 40 * 41 / 2);
      assertThat(worst).as("%s", file).isLessThan(1e-4);
      IndexerReport report = run(file, FlashAttention.ON, 256, 40);
      assertThat(report.exercised()).isTrue();
      assertThat(report.layers().stream().map(IndexedLayer::recall)).allMatch(Objects::nonNull);
    }
  }

  /** Compares, relative to the largest contribution. */
  private static final class HeadSums implements IndexerReader.Sink {
    private double worst;
    private long compared;

    @Override
    public void beginGraph(int queries) {}

    @Override
    public void beginLayer(SparseLayer layer, IndexVectors vectors, int[] cellPositions) {}

    @Override
    public void onPassedOver(SparseLayer layer, boolean exercised) {}

    @Override
    public void endLayer(SparseLayer layer) {}

    @Override
    public void onQuery(IndexedQuery query) {
      double most =
          Arrays.stream(query.headScores)
              .flatMapToDouble(h -> IntStream.range(0, query.keys).mapToDouble(i -> Math.abs(h[i])))
              .max()
              .orElseThrow();
      for (int i = 0; i < query.keys; i++) {
        double sum = 0;
        for (float[] head : query.headScores) {
          sum += head[i];
        }
        worst = Math.max(worst, Math.abs(sum - query.scores[i]) / Math.max(1, most));
        compared++;
      }
    }
  }
}
