package org.modeltracer.trace;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

class TraceEventsTest {
  @Test
  void aRecordingSeesPassesTokensAndAnomalies(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("run.jfr");
    try (Recording recording = new Recording()) {
      recording.enable("modeltracer.Anomaly");
      recording.enable("modeltracer.Forward").withoutThreshold();
      recording.enable("modeltracer.Token").withoutThreshold();
      recording.start();
      Toy toy = new Toy(TracerConfig.lightweight());
      toy.step();
      toy.step();
      toy.tracer.beginForward(2, 1);
      toy.observe(new Place(Site.FFN_OUT, 2), "ffn_out-2", 5, Float.NaN);
      toy.tracer.endForward();
      recording.stop();
      recording.dump(file);
    }
    List<RecordedEvent> events = RecordingFile.readAllEvents(file);
    assertThat(events).allSatisfy(e -> assertThat(e.getStackTrace()).isNull());
    List<RecordedEvent> passes = named(events, "modeltracer.Forward");
    assertThat(passes).extracting(e -> e.getInt("forward")).containsExactly(0, 1, 2);
    assertThat(passes.get(1).getInt("firstPosition")).isEqualTo(1);
    assertThat(passes.get(1).getStartTime()).isAfter(passes.get(0).getStartTime());
    assertThat(passes.get(2).getLong("anomalies")).isEqualTo(1);
    assertThat(named(events, "modeltracer.Token"))
        .extracting(e -> e.getInt("step"))
        .containsExactly(1, 2);
    assertThat(named(events, "modeltracer.Anomaly"))
        .singleElement()
        .satisfies(
            e -> {
              assertThat(e.getString("kind")).isEqualTo("nan");
              assertThat(e.getString("severity")).isEqualTo("critical");
              assertThat(e.getString("tensor")).isEqualTo("ffn_out-2");
              assertThat(e.getInt("layer")).isEqualTo(2);
              assertThat(e.getString("message")).contains("1 of 32 values are NaN");
            });
  }

  private static List<RecordedEvent> named(List<RecordedEvent> events, String name) {
    return events.stream().filter(e -> e.getEventType().getName().equals(name)).toList();
  }
}
