package org.modeltracer.gate;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Stage;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.llama.Engine;
import org.modeltracer.llama.ModelOptions.Placement;

/** Messages between the gate and its worker. */
class WorkerLinesTest {
  @Test
  void messagesComeBackAsTheyWere() {
    var evidence = new Evidence("nan", Severity.CRITICAL, "é\n", "t", "MUL_MAT", -1, 7L);
    var result =
        new CheckResult("a.b", Verdict.FAIL, Map.of("n", 1, "x", 0.5), "m", List.of(evidence));
    List<Message> messages =
        List.of(
            new Message.Begin("a.b"),
            new Message.Enter(Stage.TRACE),
            new Message.Leave(),
            new Message.Result(result),
            new Message.Trace(Map.of("total_forwards", 3)),
            new Message.LastWords("GGML_ASSERT"),
            new Message.End());
    for (Message message : messages) {
      String line = WorkerLines.line("@t", message);
      assertThat(line).startsWith("\n@t").endsWith("\n");
      assertThat(line.strip()).doesNotContain("\n");
      assertThat(WorkerLines.message("@t", line.strip())).contains(message);
      assertThat(WorkerLines.message("@other", line.strip())).isEmpty();
    }
    assertThat(WorkerLines.message("@t", "@t{\"type\":\"end\"")).isEmpty();
    var job =
        new Job(
            "@t",
            Path.of("f"),
            null,
            new Engine(Path.of("lib"), new Placement(3, List.of("a:1"), true)),
            Policies.PATIENT,
            List.of("a.b"),
            Map.of(Stage.LOAD, "x"));
    assertThat(WorkerLines.job(WorkerLines.line(job))).isEqualTo(job);
  }
}
