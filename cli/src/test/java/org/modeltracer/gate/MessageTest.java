package org.modeltracer.gate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Stage;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.llama.Engine;
import org.modeltracer.llama.ModelOptions.Placement;
import org.modeltracer.process.Pipes;

/** What the gate and its worker say to each other. */
class MessageTest {
  private static final Evidence EVIDENCE =
      new Evidence("nan", Severity.CRITICAL, "é\n", "t", "MUL_MAT", -1, 7L);

  private static final List<Message> MESSAGES =
      List.of(
          new Message.Begin("a.b"),
          new Message.Enter(Stage.TRACE),
          new Message.Leave(),
          new Message.Result(
              new CheckResult(
                  "a.b", Verdict.FAIL, Map.of("n", 1, "x", 0.5), "m", List.of(EVIDENCE))),
          new Message.Trace(Map.of("total_forwards", 3)),
          new Message.LastWords("GGML_ASSERT"),
          new Message.End());

  private static final Engine ENGINE =
      new Engine(Path.of("lib"), new Placement(3, List.of("vulkan"), List.of("a:1"), true));

  @Test
  void jobsAndMessagesArriveAsTheyWere() throws IOException {
    var request = new CheckRequest(Path.of("f"), null, null, ENGINE, Policies.PATIENT);
    var job = new Job(request, List.of("a.b"), Map.of(Stage.LOAD, "x"));
    try (var pipes = new Pipes<>(Job.class, Message.class)) {
      pipes.parent().send(job);
      assertThat(pipes.child().next()).isEqualTo(job);
      for (Message message : MESSAGES) {
        pipes.child().send(message);
        assertThat(pipes.parent().next()).isEqualTo(message);
      }
    }
  }
}
