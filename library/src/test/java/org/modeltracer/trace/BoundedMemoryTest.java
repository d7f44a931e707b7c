package org.modeltracer.trace;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import tools.jackson.databind.JsonNode;

/** A run that is bad at every token costs no more than one that is bad for a while. */
@Tag("alone")
class BoundedMemoryTest {
  private static final int MILLION = 1_000_000;

  @Test
  void aMillionRepeatsAreOneAnomaly() {
    try (ModelTracer tracer = new ModelTracer(TracerConfig.lightweight())) {
      Anomaly nan =
          Anomaly.of(AnomalyKind.NAN, "bad").place(new Place(Site.FFN_OUT, 2)).forward(0).build();

      for (int i = 0; i < MILLION; i++) {
        tracer.report(nan);
      }
      assertThat(tracer.anomalies()).hasSize(1);
      assertThat(tracer.anomalies().getFirst().repeats()).isEqualTo(MILLION - 1);
    }
  }

  @Test
  void aMillionDifferentOnesFillTheListAndAreCounted(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("anomalies.jsonl");
    String summary;
    try (AnomalyLog log = new AnomalyLog(file);
        ModelTracer tracer = new ModelTracer(TracerConfig.lightweight())) {
      tracer.addListener(log);
      for (int i = 0; i < MILLION; i++) {
        tracer.report(
            Anomaly.of(AnomalyKind.NAN, "bad")
                .place(new Place(Site.FFN_OUT, 2))
                .tensor("t" + i, "ADD")
                .build());
      }
      summary = tracer.summaryToJson();
    }
    JsonNode anomalies = Json.mapper().readTree(summary).get("anomalies");
    assertThat(anomalies.get("total").asInt()).isEqualTo(MILLION);
    assertThat(anomalies.get("distinct").asInt()).isEqualTo(AnomalyBook.CAPACITY);
    assertThat(anomalies.get("unlisted").asInt()).isEqualTo(MILLION - AnomalyBook.CAPACITY);
    assertThat(anomalies.get("by_kind").get("nan").asInt()).isEqualTo(MILLION);
    assertThat(anomalies.get("list")).hasSize(AnomalyBook.CAPACITY);
    assertThat(Files.readAllLines(file)).hasSize(AnomalyBook.CAPACITY);
    assertThat(summary.length()).isLessThan(2_000_000);
  }

  @Test
  void theSummaryOfALongRunIsNoLongerThanThatOfAShortOne() {
    Toy toy = new Toy(TracerConfig.full());
    for (int i = 0; i < 300; i++) {
      toy.step();
    }
    int early = toy.tracer.summaryToJson().length();
    for (int i = 0; i < 700; i++) {
      toy.step();
    }
    String late = toy.tracer.summaryToJson();
    assertThat(late.length()).isLessThan(early + early / 20);
    JsonNode attention = Json.mapper().readTree(late).get("attention");
    assertThat(attention.get("rows").asInt()).isEqualTo(1000 * Toy.LAYERS * Toy.HEADS);
    assertThat(attention.get("sample")).hasSize(AttentionTraces.SAMPLE);
    JsonNode logits = Json.mapper().readTree(late).get("logits");
    assertThat(logits.get("positions").asInt()).isEqualTo(1000);
    assertThat(logits.get("last_positions")).hasSize(LogitTraces.POSITIONS);
    assertThat(logits.get("last_positions").get(0).get("position").asInt()).isEqualTo(744);
  }
}
