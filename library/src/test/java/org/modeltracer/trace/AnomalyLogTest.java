package org.modeltracer.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.anomaly.Cause;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;
import org.modeltracer.model.TensorState;
import tools.jackson.databind.JsonNode;

class AnomalyLogTest {
  private static final RootCause CAUSE =
      new RootCause(
          "ffn_out-2",
          "MUL_MAT",
          2,
          0,
          Cause.BAD_WEIGHT,
          "blk.2.ffn_down.weight",
          List.of(101L, 37L),
          1L,
          null,
          null,
          List.of(new RootCause.Input("ffn_swiglu-2", TensorState.FINITE)),
          "blk.2.ffn_down.weight[101, 37] is NaN",
          List.of());

  @TempDir Path directory;

  @Test
  void linesAreOnDiskAtOnceAndCarryTheKeysThatScriptsRelyOn() throws IOException {
    Path file = directory.resolve("anomalies.jsonl");
    try (AnomalyLog log = new AnomalyLog(file)) {
      Toy toy = new Toy(TracerConfig.lightweight());
      toy.tracer.addListener(log);
      assertThat(file).isEmptyFile();
      bad(toy);
      assertThat(lines(file)).hasSize(1);
      JsonNode line = lines(file).getFirst();
      assertThat(line.propertyNames())
          .containsExactly(
              "id severity kind site layer head expert tensor op forward position numel nan inf"
                  .concat(" zero first_index min max mean std l2 repeats message root_cause")
                  .split(" "));
      assertThat(line.toString())
          .startsWith(
              "{\"id\":1,\"severity\":\"critical\",\"kind\":\"nan\",\"site\":\"ffn_out\",\"layer\""
                  + ":2,\"head\":null,\"expert\":null,\"tensor\":\"ffn_out-2\",\"op\":\"MUL_MAT\","
                  + "\"forward\":0,\"position\":0,\"numel\":32,\"nan\":1,\"inf\":0,\"zero\":0,"
                  + "\"first_index\":[5,0,0,0],\"min\":");
      toy.tracer.attachRootCause(1, CAUSE);
      assertThat(lines(file)).hasSize(2);
      assertThat(lines(file).get(1).get("root_cause").toString())
          .startsWith(
              "{\"node\":\"ffn_out-2\",\"op\":\"MUL_MAT\",\"layer\":2,\"position\":0,"
                  + "\"cause\":\"bad_weight\",\"weight\":\"blk.2.ffn_down.weight\","
                  + "\"weight_index\":[101,37],\"weight_bad_count\":1,")
          .contains("\"inputs\":[{\"name\":\"ffn_swiglu-2\",\"state\":\"finite\"}]");
    }
  }

  @Test
  void closingLeavesOneLinePerAnomalyWithItsRepeats() throws IOException {
    Path file = directory.resolve("anomalies.jsonl");
    Files.writeString(file, "left over from an earlier run\n");
    Toy toy = new Toy(TracerConfig.lightweight());
    try (AnomalyLog log = new AnomalyLog(file)) {
      toy.tracer.addListener(log);
      for (int i = 0; i < 10; i++) {
        bad(toy);
      }
      toy.tracer.attachRootCause(1, CAUSE);
      toy.tracer.close();
      bad(toy);
    }
    assertThat(lines(file)).hasSize(1);
    assertThat(lines(file).getFirst().get("repeats").asInt()).isEqualTo(9);
    assertThat(lines(file).getFirst().get("root_cause").get("op").asString()).isEqualTo("MUL_MAT");
    assertThat(directory).isDirectoryNotContaining("glob:**.tmp");
  }

  @Test
  void numbersThatAreNotFiniteAreNull() throws IOException {
    Path file = directory.resolve("anomalies.jsonl");
    try (AnomalyLog log = new AnomalyLog(file)) {
      Toy toy = new Toy(TracerConfig.lightweight());
      toy.tracer.addListener(log);
      Observation seen =
          new Observation()
              .of(new Place(Site.FINAL_NORM, Place.AFTER_LAYERS), "n", "ADD", new long[4]);
      seen.stats().add(MemorySegment.ofArray(new float[] {Float.NaN, Float.NaN}), 0, 2);
      toy.tracer.recordActivation(seen);
    }
    JsonNode line = lines(file).getFirst();
    assertThat(line.get("mean").isNull()).isTrue();
    assertThat(line.get("layer").isNull()).isTrue();
    assertThat(Files.readString(file)).contains("\"min\":null").doesNotContain("\"NaN\"");
  }

  @Test
  void aLogThatCannotBeWrittenSaysSo() {
    Path nowhere = directory.resolve("absent").resolve("anomalies.jsonl");
    assertThatThrownBy(() -> new AnomalyLog(nowhere))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("cannot write the anomaly log " + nowhere);
  }

  private static void bad(Toy toy) {
    toy.tracer.beginForward(0, 1);
    toy.observe(new Place(Site.FFN_OUT, 2), "ffn_out-2", 5, Float.NaN);
    toy.tracer.endForward();
  }

  private static List<JsonNode> lines(Path file) throws IOException {
    return Files.readAllLines(file).stream().map(Json.mapper()::readTree).toList();
  }
}
