package org.modeltracer.gate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.modeltracer.gate.Stray.Way;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.process.ChildJvm;
import org.modeltracer.process.MessageChannel;
import org.modeltracer.process.Pipes;

/**
 * Whatever a worker does, its supervisor ends with a result for every check and no process left.
 */
class SupervisorTest {
  private static final List<String> CHECKS =
      List.of("forward.finite", "determinism.repeat", "kv.reuse");

  private static final List<String> ONE = CHECKS.subList(0, 1);

  @AfterEach
  void noProcessIsLeft() throws InterruptedException {
    for (ProcessHandle worker : workers()) {
      assertThat(worker.onExit().orTimeout(5, TimeUnit.SECONDS))
          .succeedsWithin(Duration.ofSeconds(6));
    }
  }

  /** Processes of ours that are workers, or were started by one. */
  static List<ProcessHandle> workers() {
    return ProcessHandle.current().descendants().filter(ProcessHandle::isAlive).toList();
  }

  static List<CheckResult> stray(Way way, Policy policy) {
    return stray(way, policy, CHECKS);
  }

  private static List<CheckResult> stray(Way way, Policy policy, List<String> checks) {
    var job = new Job(CheckRequest.of(Path.of(way.name()), policy), checks, Map.of());
    var command = ChildJvm.of(Stray.class, Path.of(way.name()));
    var deadline = Deadline.in(policy.budget().time());
    return new Supervisor(command, job, deadline, Judged.QUIET).run();
  }

  private static Policy seconds(int seconds) {
    return Policies.within(Policies.PATIENT, Duration.ofSeconds(seconds), 0);
  }

  @Test
  void aWorkerThatHangsIsEnded() {
    List<CheckResult> results = stray(Way.HANG, seconds(2));
    assertThat(results).extracting(CheckResult::id).isEqualTo(CHECKS);
    assertThat(results)
        .extracting(CheckResult::verdict)
        .containsExactly(Verdict.ERROR, Verdict.SKIPPED, Verdict.SKIPPED);
    assertThat(results.getFirst().message()).startsWith("ran longer than the 2 s");
    assertThat(results.getLast().message()).startsWith("no time was left of the 2 s");
  }

  @Test
  void aWorkerThatNeverSaysAnythingIsEnded() {
    List<CheckResult> results = stray(Way.HANG_AT_ONCE, seconds(1));
    assertThat(results)
        .extracting(CheckResult::verdict)
        .containsExactly(Verdict.ERROR, Verdict.SKIPPED, Verdict.SKIPPED);
  }

  @Test
  void timeThatIsUpAlreadyIsNoPass() {
    List<CheckResult> results =
        stray(Way.HANG, Policies.within(Policies.PATIENT, Duration.ofMillis(1), 0));
    assertThat(results.getFirst().verdict()).isEqualTo(Verdict.ERROR);
    assertThat(results.getFirst().message()).startsWith("ran longer than the 0.001 s");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void whatAWorkerLeavesBehindHoldsUpNobody() {
    long begin = System.nanoTime();
    List<CheckResult> results = stray(Way.LEAVE_A_CHILD, seconds(60), ONE);
    assertThat(results).extracting(CheckResult::verdict).containsOnly(Verdict.ERROR);
    assertThat(results.getFirst().message()).contains("exit code 9");
    assertThat(System.nanoTime() - begin).isLessThan(TimeUnit.SECONDS.toNanos(28));
  }

  @Test
  void outputWithoutEndIsCutShort() {
    for (Way way : List.of(Way.FLOOD_STDOUT, Way.FLOOD_STDERR)) {
      List<CheckResult> results = stray(way, seconds(120), ONE);
      assertThat(results).extracting(CheckResult::verdict).containsOnly(Verdict.ERROR);
      assertThat(results.getFirst().message()).endsWith("printed without end");
    }
  }

  @Test
  void memoryIsLimited() {
    Policy policy = Policies.within(Policies.PATIENT, Duration.ofSeconds(60), 300L << 20);
    List<CheckResult> results = stray(Way.EAT_MEMORY, policy, ONE);
    assertThat(results).extracting(CheckResult::verdict).containsOnly(Verdict.ERROR);
    assertThat(results.getFirst().message())
        .matches(".* took \\d+ MB of memory, more than the 300 MB of the policy");
  }

  @Test
  void whatNativeCodePrintsIsNoMessage() {
    List<CheckResult> results = stray(Way.FORGE, seconds(60));
    assertThat(results).extracting(CheckResult::verdict).containsOnly(Verdict.ERROR);
  }

  @Test
  void aResultThatIsLostIsNoPass() {
    List<CheckResult> results = stray(Way.LOSE_A_RESULT, seconds(60), ONE);
    assertThat(results).extracting(CheckResult::verdict).containsOnly(Verdict.ERROR);
    assertThat(results.getFirst().message()).contains("lost its result");
  }

  @Test
  void lastWordsAreKept() {
    List<CheckResult> results = stray(Way.EXIT, seconds(60), ONE);
    assertThat(results.getFirst().message())
        .isEqualTo(
            "the process with llama.cpp went down, exit code 7: terminate called after throwing an"
                + " instance of 'std::bad_alloc'");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void llamaCppsOwnLastWordsComeFirst() {
    assertThat(stray(Way.ABORT, seconds(60), ONE).getFirst().message())
        .isEqualTo(
            "the process with llama.cpp went down, SIGKILL: ops.cpp:1: GGML_ASSERT(good) failed");
    // A process that cannot even go down is not waited for as long as there is time.
    assertThat(stray(Way.ABORT_AND_HANG, seconds(60), ONE))
        .extracting(CheckResult::message)
        .containsOnly("the process with llama.cpp gave up: ops.cpp:1: GGML_ASSERT(good) failed");
  }

  @Test
  void anInterruptEndsTheWorker() throws InterruptedException {
    var results = new AtomicReference<List<CheckResult>>(List.of());
    var interrupted = new AtomicBoolean();
    var thread =
        new Thread(
            () -> {
              results.set(stray(Way.HANG, Policies.PATIENT));
              interrupted.set(Thread.currentThread().isInterrupted());
            });
    thread.start();
    while (workers().isEmpty()) {
      Thread.sleep(5);
    }
    thread.interrupt();
    thread.join(TimeUnit.SECONDS.toMillis(30));
    assertThat(interrupted).isTrue();
    assertThat(results.get())
        .extracting(CheckResult::verdict)
        .containsExactly(Verdict.ERROR, Verdict.SKIPPED, Verdict.SKIPPED);
    assertThat(results.get()).extracting(CheckResult::message).containsOnly("interrupted");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void anInterruptOfTheProgramEndsTheWorker() throws Exception {
    Process parent =
        new ProcessBuilder(
                "env",
                "--default-signal=INT",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Stray.Parent.class.getName())
            .start();
    try {
      List<ProcessHandle> children = List.of();
      while (children.isEmpty()) {
        assertThat(parent.isAlive()).isTrue();
        Thread.sleep(20);
        children = parent.descendants().toList();
      }
      new ProcessBuilder("kill", "-INT", "" + parent.pid()).start().waitFor();
      assertThat(parent.waitFor(20, TimeUnit.SECONDS)).isTrue();
      for (ProcessHandle child : children) {
        assertThat(child.onExit()).succeedsWithin(Duration.ofSeconds(20));
      }
    } finally {
      parent.descendants().forEach(ProcessHandle::destroyForcibly);
      parent.destroyForcibly();
    }
  }

  @Test
  void aWorkerEndsWhenNobodyListens() throws IOException, InterruptedException {
    Path file = Path.of("models", "tinyllama-mha-Q4_0.gguf");
    Policy endless = Policies.withTokens(Policies.PATIENT, 100_000, 100_000);
    var job = new Job(CheckRequest.of(file, endless), CHECKS, Map.of());
    Process worker =
        ChildJvm.of(Worker.class, file)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try (OutputStream _ = worker.getOutputStream()) {
      Pipes.to(worker, Job.class, Message.class).send(job);
      assertThat(worker.waitFor(1, TimeUnit.SECONDS)).as("at work").isFalse();
    }
    assertThat(worker.waitFor(20, TimeUnit.SECONDS)).as("ended").isTrue();
    assertThat(worker.exitValue()).isEqualTo(MessageChannel.NO_PARENT);
  }
}
