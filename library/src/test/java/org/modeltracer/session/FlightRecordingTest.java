package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.diagnose.Diagnosis;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.Faults;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** What a flight recording tells of a model at work. */
class FlightRecordingTest {
  @TempDir Path folder;

  private List<RecordedEvent> record(Path model, String prompt, int most) throws IOException {
    Path file = folder.resolve("run.jfr");
    try (var recording = new Recording()) {
      for (String event :
          List.of("ModelLoad", "SessionOpen", "Text", "Forward", "Token", "Anomaly", "RootCause")) {
        recording.enable("modeltracer." + event).withoutThreshold();
      }
      recording.start();
      try (var loaded = LlamaRuntime.load().open(model);
          var tracer = ModelTracer.quiet(TracerConfig.lightweight());
          var session = TracedSession.open(loaded, SessionOptions.defaults(), tracer);
          var diagnosis = Diagnosis.attach(session, tracer, GgufFile.read(model))) {
        session.generate(prompt, most, token -> true);
        assertThat(diagnosis.replays()).isLessThan(10);
      }
      recording.stop();
      recording.dump(file);
    }
    return RecordingFile.readAllEvents(file);
  }

  private static List<RecordedEvent> named(List<RecordedEvent> events, String name) {
    return events.stream()
        .filter(e -> e.getEventType().getName().equals("modeltracer." + name))
        .toList();
  }

  /** Whether one event lies within another in time. */
  private static boolean within(RecordedEvent inner, RecordedEvent outer) {
    return !inner.getStartTime().isBefore(outer.getStartTime())
        && !inner.getEndTime().isAfter(outer.getEndTime());
  }

  @Test
  void everyEventHasItsTimeItsSessionAndItsModel() throws IOException {
    List<RecordedEvent> events = record(Path.of("models/tinyllama-mha-f32.gguf"), "The file", 4);
    RecordedEvent load = named(events, "ModelLoad").getFirst();
    assertThat(load.getString("file")).endsWith("tinyllama-mha-f32.gguf");
    assertThat(load.getLong("parameters")).isPositive();
    RecordedEvent text = named(events, "Text").getFirst();
    RecordedEvent open = named(events, "SessionOpen").getFirst();
    assertThat(text.getInt("generatedTokens")).isEqualTo(4);
    assertThat(text.getInt("promptTokens")).isGreaterThan(1);
    assertThat(text.getString("finish")).isEqualTo("length");
    assertThat(text.getDuration("promptTime")).isPositive().isLessThanOrEqualTo(text.getDuration());
    List<RecordedEvent> passes = named(events, "Forward");
    List<RecordedEvent> tokens = named(events, "Token");
    assertThat(passes).hasSize(4);
    assertThat(tokens).hasSize(4);
    for (int i = 0; i < 4; i++) {
      // A token takes its pass, and the choice after it.
      assertThat(within(passes.get(i), text)).as("pass %d", i).isTrue();
      assertThat(within(passes.get(i), tokens.get(i))).as("pass %d in its token", i).isTrue();
    }
    for (RecordedEvent event : events) {
      assertThat(event.getLong("model")).isEqualTo(load.getLong("model"));
      if (event != load) {
        assertThat(event.getLong("session")).isEqualTo(open.getLong("session"));
      }
      assertThat(event.getDuration())
          .as(event.getEventType().getName())
          .isGreaterThan(Duration.ZERO);
    }
    assertThat(load.getEndTime()).isBeforeOrEqualTo(open.getStartTime());
    assertThat(open.getEndTime()).isBeforeOrEqualTo(text.getStartTime());
  }

  @Test
  void anAnomalyIsFollowedByItsCause() throws IOException {
    Path broken = Faults.make("f01_nan_ffn_down_l2", folder);
    assertThat(Files.size(broken)).isPositive();
    List<RecordedEvent> events = record(broken, "The file", 1);
    RecordedEvent anomaly = named(events, "Anomaly").getFirst();
    RecordedEvent cause = named(events, "RootCause").getFirst();
    assertThat(cause.getInt("anomaly")).isEqualTo(anomaly.getInt("id"));
    assertThat(
            Map.of(
                "cause", cause.getString("cause"),
                "weight", cause.getString("weight"),
                "layer", cause.getInt("layer")))
        .isEqualTo(Map.of("cause", "bad_weight", "weight", "blk.2.ffn_down.weight", "layer", 2));
    assertThat(cause.getLong("session")).isPositive().isEqualTo(anomaly.getLong("session"));
    assertThat(cause.getStartTime()).isAfterOrEqualTo(anomaly.getStartTime());
  }
}
