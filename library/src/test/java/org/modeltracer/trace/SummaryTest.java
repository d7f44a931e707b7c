package org.modeltracer.trace;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.testing.SummarySchema;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

class SummaryTest {
  @Test
  void everySummaryIsValid() {
    for (TracerConfig config :
        List.of(TracerConfig.full(), TracerConfig.lightweight(), TracerConfig.disabled())) {
      assertValid(new Toy(config).tracer.summaryToJson());
      assertValid(run(config));
    }
  }

  @Test
  void keysComeInTheirOrder() {
    JsonNode summary = Json.mapper().readTree(run(TracerConfig.full()));
    assertThat(summary.propertyNames())
        .containsExactly(
            "schema_version total_forwards anomalies_detected attention_traces logit_traces"
                .concat(" kv_steps total_evictions avg_hit_rate quant_warnings quant_criticals")
                .concat(
                    " tool runtime model config prompt timing activations attention indexer logits")
                .concat(" kv_cache quantization anomalies verdict")
                .split(" "));
    assertThat(summary.get("avg_hit_rate").isNull()).isTrue();
    assertThat(summary.get("timing").isNull()).isTrue();
    assertThat(summary.get("tool").get("name").asString()).isEqualTo("modeltracer");
    assertThat(summary.get("config").get("trace").get("thresholds").get("explosion_abs").asDouble())
        .isEqualTo(1e6);
    assertThat(summary.get("attention").get("sample").get(0).has("top_k_positions")).isTrue();
    assertThat(summary.get("attention").get("analysis").get("heads").asInt()).isEqualTo(16);
    JsonNode worst = summary.get("quantization").get("worst");
    assertThat(worst.get(0).get("cosine").asDouble()).isEqualTo(0.98);
    assertThat(worst.get(1).get("snr_db").isNull()).isTrue();
  }

  @Test
  void theSameInputGivesTheSameBytes() {
    assertThat(run(TracerConfig.full())).isEqualTo(run(TracerConfig.full()));
  }

  @Test
  void theSchemaRefusesWhatItDoesNotKnow() {
    JsonNode summary = Json.mapper().readTree(run(TracerConfig.full()));
    ((ObjectNode) summary).put("unknown", 1);
    assertThat(SummarySchema.errors(summary.toString())).isNotEmpty();
    summary = Json.mapper().readTree(run(TracerConfig.full()));
    ((ObjectNode) summary.get("anomalies").get("list").get(0)).put("kind", "strange");
    assertThat(SummarySchema.errors(summary.toString())).isNotEmpty();
    summary = Json.mapper().readTree(run(TracerConfig.full()));
    ((ObjectNode) summary).remove("kv_cache");
    assertThat(SummarySchema.errors(summary.toString())).isNotEmpty();
  }

  @Test
  void trackedTokensHaveTheirScores() {
    Toy toy = new Toy(TracerConfig.builder().logits(true).trackedTokens(List.of(3, 9999)).build());
    toy.step();
    JsonNode tokens =
        Json.mapper()
            .readTree(toy.tracer.summaryToJson())
            .get("logits")
            .get("last_positions")
            .get(0)
            .get("tokens");
    JsonNode tracked = tokens.get(0);
    assertThat(tracked.get("token").asInt()).isEqualTo(3);
    assertThat((float) tracked.get("final_logit").asDouble()).isEqualTo(toy.logits[3]);
    int above = 0;
    for (float logit : toy.logits) {
      above += logit > toy.logits[3] ? 1 : 0;
    }
    assertThat(tracked.get("final_rank").asInt()).isEqualTo(above);
    assertThat(tokens).as("the tracked one that exists and the chosen one").hasSize(2);
  }

  @Test
  void theLastAnalysisOfASectionCounts() {
    Toy toy = new Toy(TracerConfig.lightweight());
    toy.tracer.addAnalysis(SummarySection.ATTENTION, () -> 1);
    toy.tracer.addAnalysis(SummarySection.ATTENTION, () -> 2);
    JsonNode summary = Json.mapper().readTree(toy.tracer.summaryToJson());
    assertThat(summary.get("attention").get("analysis").asInt()).isEqualTo(2);
    assertValid(toy.tracer.summaryToJson());
  }

  private static String run(TracerConfig config) {
    Toy toy = new Toy(config);
    ModelTracer tracer = toy.tracer;
    tracer.describe(SummaryField.TOOL, Map.of("name", "modeltracer"));
    tracer.addAnalysis(SummarySection.ATTENTION, () -> Map.of("heads", 16));
    for (int i = 0; i < 40; i++) {
      toy.step();
    }
    tracer.beginForward(40, 1);
    toy.observe(new Place(Site.FFN_OUT, 2), "ffn_out-2", 5, Float.NaN);
    tracer
        .endForward()
        .ifPresent(
            a ->
                tracer.attachRootCause(
                    a.id(),
                    new RootCause(
                        "ffn_out-2",
                        "MUL_MAT",
                        2,
                        0,
                        Cause.BAD_WEIGHT,
                        null,
                        null,
                        null,
                        null,
                        null,
                        List.of(),
                        "",
                        List.of())));
    tracer.recordQuantError(quantized(Double.POSITIVE_INFINITY, 1, QuantizationLevel.ACCEPTABLE));
    tracer.recordQuantError(quantized(12, 0.98, QuantizationLevel.CRITICAL));
    tracer.recordLogitEvolution(
        new LogitEvolutionTrace(
            3, 7, List.of(1.0, 2.0), List.of(0.1, Double.NaN), List.of(4, 0), 2, 0.5, 0, 1));
    return tracer.summaryToJson();
  }

  private static QuantizationErrorTrace quantized(
      double snr, double cosine, QuantizationLevel level) {
    return new QuantizationErrorTrace(
        new Place(Site.LOGITS, Place.AFTER_LAYERS), "result_output", 0, 0, 0, cosine, snr, level);
  }

  private static void assertValid(String summary) {
    assertThat(SummarySchema.errors(summary)).isEmpty();
    assertThat(summary).doesNotContain("\"NaN\"", "Infinity\"").endsWith("}\n");
  }
}
