package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.IndexedModel.Kind;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.testing.TinyModels;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;
import tools.jackson.databind.JsonNode;

/** What a traced run says of its indexers, without being asked. */
class IndexerBesideTest {
  private static final LlamaRuntime RUNTIME = LlamaRuntime.load();
  private static final int K = IndexedModel.TOP_K;

  @TempDir private Path folder;

  private record Run(JsonNode indexer, List<Anomaly> anomalies) {}

  private Run run(Kind kind, int length, Map<String, Object> limits) {
    var config = TracerConfig.builder().kvCache(true).thresholds(Thresholds.from(limits)).build();
    try (var model = RUNTIME.open(IndexedModel.write(kind, folder));
        var tracer = ModelTracer.quiet(config);
        var session =
            TracedSession.open(model, IndexerTraceTest.options(FlashAttention.ON, 256), tracer);
        var trace = IndexerTrace.beside(session, tracer).orElseThrow()) {
      trace.begin();
      session.evaluate(IndexedModel.prompt(length), false);
      String summary = tracer.summaryToJson();
      assertThat(SummarySchema.errors(summary)).isEmpty();
      return new Run(
          Json.mapper().readTree(summary).get("indexer"),
          tracer.anomalies().stream().filter(a -> a.kind() == AnomalyKind.INDEXER_RECALL).toList());
    }
  }

  @Test
  void anIndexerThatSelectsTheWrongKeysIsAnAnomalyOfEachLayer() {
    Run run = run(Kind.SHUFFLED, 128, Map.of());
    assertThat(run.anomalies()).extracting(Anomaly::layer).containsExactly(0, 1);
    assertThat(run.anomalies()).extracting(Anomaly::severity).containsOnly(Severity.WARNING);
    assertThat(run.anomalies().getFirst().forward()).isZero();
    JsonNode layer = run.indexer().at("/layers/0");
    assertThat(run.anomalies().getFirst().message())
        .startsWith(
            "layer 0: selected keys hold %.2f of the attention mass over 96 queries, as many could %.2f"
                .formatted(layer.get("recall").asDouble(), layer.get("best").asDouble()));
    assertThat(layer.get("recall").asDouble()).isLessThan(0.8 * layer.get("best").asDouble());
  }

  @Test
  void theMistakeOfAPortIsSaidWithIt() {
    Run run = run(Kind.ROTARY_LAYOUT, 128, Map.of());
    assertThat(run.anomalies()).hasSize(2);
    assertThat(run.anomalies().getLast().message())
        .containsPattern("; 0\\.\\d\\d with the other layout of rotary positions$");
    assertThat(run.indexer().at("/layers/1/mistake").asString()).isEqualTo("rotary_layout");
  }

  @Test
  void whatSelectsTheRightKeysIsNone() {
    Run run = run(Kind.IDEAL, 128, Map.of("indexer_recall", 0.99));
    assertThat(run.anomalies()).isEmpty();
    assertThat(run.indexer().get("recall").asDouble()).isGreaterThan(0.8);
  }

  @Test
  void limitsAreTheOnesThatWereSet() {
    assertThat(run(Kind.SHUFFLED, 128, Map.of("indexer_recall", 0.5)).anomalies()).isEmpty();
    assertThat(run(Kind.SHUFFLED, 128, Map.of("indexer_queries", 97)).anomalies()).isEmpty();
    assertThat(run(Kind.SHUFFLED, 128, Map.of("indexer_queries", 96)).anomalies()).hasSize(2);
  }

  @Test
  void nothingIsJudgedBeforeItIsExercised() {
    Run run = run(Kind.SHUFFLED, K, Map.of("indexer_queries", 1));
    assertThat(run.anomalies()).isEmpty();
    assertThat(run.indexer().get("exercised").asBoolean()).isFalse();
    assertThat(run.indexer().get("not_exercised").asString()).startsWith("not exercised: ");
    assertThat(run.indexer().at("/layers/0/queries").asInt()).isEqualTo(K);
    assertThat(run.indexer().at("/layers/0/exercised").asInt()).isZero();
  }

  @Test
  void aModelWithoutAnIndexerSaysNothing() {
    try (var model = RUNTIME.open(TinyModels.of("llama").write(folder));
        var tracer = ModelTracer.quiet(TracerConfig.lightweight());
        var session =
            TracedSession.open(model, IndexerTraceTest.options(FlashAttention.ON, 256), tracer)) {
      assertThat(IndexerTrace.beside(session, tracer)).isEmpty();
      assertThat(Json.mapper().readTree(tracer.summaryToJson()).get("indexer").isNull()).isTrue();
    }
  }

  /** With the time for twelve keys a query, Σ 12 / keys of the queries are measured: 12 ln 6. */
  @Test
  void aTraceBesideARunKeepsWithinItsAllowance() {
    int length = 200;
    IndexerReport all = with(new Allowance(Double.POSITIVE_INFINITY), length, 256);
    for (int batch : new int[] {256, 16, 1}) {
      // Two layers of 2 heads: 64 wide in attention, and 8 times 2 × 64 for the indexer.
      double each = 2 * (64 + 8 * 2 * 64) * 12.0;
      IndexerReport some = with(new Allowance(each), length, batch);
      for (int l = 0; l < 2; l++) {
        IndexedLayer whole = all.layers().get(l);
        IndexedLayer part = some.layers().get(l);
        assertThat(part.queries()).isEqualTo(length);
        assertThat(part.exercised()).isEqualTo(whole.exercised()).isEqualTo(length - K);
        assertThat(part.measured()).isBetween(2L, 24L);
        assertThat(part.recall()).isCloseTo(part.chance(), within(0.25));
        assertThat(part.best()).isGreaterThan(1.2 * part.chance());
      }
    }
  }

  private IndexerReport with(Allowance allowance, int length, int batch) {
    try (var model = RUNTIME.open(IndexedModel.write(Kind.SHUFFLED, folder));
        var tracer = ModelTracer.quiet(TracerConfig.builder().build());
        var session =
            TracedSession.open(model, IndexerTraceTest.options(FlashAttention.ON, batch), tracer);
        var trace = IndexerTrace.within(session, allowance, null)) {
      session.evaluate(IndexedModel.prompt(length), false);
      return trace.report();
    }
  }
}
