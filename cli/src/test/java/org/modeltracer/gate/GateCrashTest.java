package org.modeltracer.gate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.gate.checks.Check;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.llama.Engine;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.testing.Leftovers;
import org.modeltracer.testing.Sample;

/** The whole gate, with workers that go down while they judge a healthy file. */
@DisabledOnOs(OS.WINDOWS)
@Tag("alone")
class GateCrashTest {
  private static final Path MODEL = Path.of("models", "tinyllama-mha-Q4_0.gguf");

  private final Leftovers leftovers = new Leftovers();

  @BeforeEach
  void look() throws IOException {
    leftovers.look();
  }

  @AfterEach
  void nothingIsLeftBehind() throws IOException {
    assertThat(leftovers.found()).isEmpty();
    assertThat(SupervisorTest.workers())
        .allSatisfy(w -> assertThat(w.onExit()).succeedsWithin(Duration.ofSeconds(5)));
  }

  /** Sends a signal to the worker when a check begins, the first time. */
  private record Killer(String signal, String check) implements Gate.Progress {
    private static int sent;

    static GateResult judge(String signal, String check, Policy policy) {
      sent = 0;
      return Gate.judge(CheckRequest.of(MODEL, policy), new Killer(signal, check));
    }

    @Override
    public void onBegin(Check begun) {
      if (!begun.id().equals(check) || sent++ > 0) {
        return;
      }
      for (ProcessHandle worker : SupervisorTest.workers()) {
        try {
          new ProcessBuilder("kill", signal, String.valueOf(worker.pid())).start().waitFor();
        } catch (IOException | InterruptedException e) {
          throw new IllegalStateException(e);
        }
      }
    }

    @Override
    public void onResult(CheckResult result) {}
  }

  static List<String> signals() {
    return Sample.of(List.of("KILL", "SEGV", "ABRT", "BUS", "FPE"), 1);
  }

  @ParameterizedTest
  @MethodSource("signals")
  void aSignalIsNamedAndTheRestIsStillChecked(String signal) {
    GateResult judgement = Killer.judge("-" + signal, "forward.finite", Policies.PATIENT);
    assertThat(Judged.exitCode(judgement)).isEqualTo(5);
    CheckResult hit = Judged.result(judgement, "forward.finite");
    assertThat(hit.verdict()).isEqualTo(Verdict.ERROR);
    assertThat(hit.message()).contains("went down, SIG" + signal);
    assertThat(Judged.result(judgement, "forward.anomalies").verdict()).isEqualTo(Verdict.SKIPPED);
    assertThat(Judged.result(judgement, "forward.anomalies").message())
        .contains("the traced run")
        .contains("SIG" + signal);
    assertThat(Judged.ids(judgement, Verdict.PASS))
        .contains(
            "file.structure", "file.loads", "determinism.repeat", "determinism.batch", "kv.reuse");
  }

  @Test
  void whatWasTracedBeforeIsKept() {
    GateResult judgement = Killer.judge("-KILL", "determinism.repeat", Policies.PATIENT);
    assertThat(Judged.ids(judgement, Verdict.ERROR)).containsExactly("determinism.repeat");
    assertThat(Judged.ids(judgement, Verdict.PASS))
        .contains("forward.finite", "generation.sanity", "determinism.batch");
    assertThat(judgement.trace()).isNotNull().containsEntry("total_forwards", 18);
  }

  @Test
  void aWorkerThatStopsRunsIntoTheTimeLimit() {
    Policy policy = Policies.within(Policies.PATIENT, Duration.ofSeconds(6), 0);
    GateResult judgement = Killer.judge("-STOP", "forward.finite", policy);
    assertThat(Judged.exitCode(judgement)).isEqualTo(5);
    assertThat(Judged.ids(judgement, Verdict.ERROR)).containsExactly("forward.finite");
    assertThat(Judged.result(judgement, "forward.finite").message())
        .startsWith("ran longer than the 6 s");
    assertThat(Judged.result(judgement, "kv.reuse").verdict()).isEqualTo(Verdict.SKIPPED);
  }

  @Test
  void tooLittleMemoryIsAnError() {
    Policy policy = Policies.within(Policies.PATIENT, Duration.ofMinutes(1), 20L << 20);
    GateResult judgement = Judged.by(policy, MODEL);
    assertThat(Judged.exitCode(judgement)).isEqualTo(5);
    assertThat(Judged.ids(judgement, Verdict.ERROR)).isNotEmpty();
    assertThat(judgement.results())
        .filteredOn(r -> r.verdict() == Verdict.ERROR)
        .extracting(CheckResult::message)
        .allMatch(m -> m.contains("more than the 20 MB of the policy"));
  }

  /** b4916 ends the process over a gemma2 whose size it does not know. */
  @Test
  void aNativeAbortIsReportedInItsOwnWords() {
    Path library = Runtimes.embedded("b4916").orElse(null);
    assumeTrue(library != null, "no b4916 for this platform");
    Path file = Path.of("models", "rand-gemma2-f32.gguf");
    GateResult judgement = Judged.by(Policies.PATIENT, file, Engine.usual().onLibrary(library));
    assertThat(Judged.exitCode(judgement)).isEqualTo(5);
    assertThat(Judged.ids(judgement, Verdict.PASS)).contains("file.structure");
    CheckResult loads = Judged.result(judgement, "file.loads");
    assertThat(loads.verdict()).isEqualTo(Verdict.ERROR);
    assertThat(loads.message())
        .startsWith("the process with llama.cpp went down, SIGABRT: ")
        .contains("llama-model.cpp")
        .endsWith("fatal error");
    assertThat(judgement.results())
        .filteredOn(r -> r.id().matches("(forward|attention|generation|kv)\\..*"))
        .isNotEmpty()
        .allSatisfy(
            r -> {
              assertThat(r.verdict()).isEqualTo(Verdict.SKIPPED);
              assertThat(r.message()).startsWith("needs loading the model").contains("SIGABRT");
            });
  }

  @Test
  void theSameFileTwiceGivesTheSameJudgement() {
    List<CheckResult> once = Judged.by("smoke", MODEL).results();
    List<CheckResult> again = Judged.by("smoke", MODEL).results();
    assertThat(again).isEqualTo(once);
  }
}
