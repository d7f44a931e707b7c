package org.modeltracer.gate;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.Catalogue;
import org.modeltracer.gate.checks.Check;
import org.modeltracer.gate.checks.Check.Needs;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Subject;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.llama.Engine;
import org.modeltracer.process.ChildJvm;

/**
 * Asks the checks of a policy of a file.
 *
 * <p>What needs the file alone runs in this process, in pure Java. All else runs in a process of
 * its own, which llama.cpp may bring down; this one watches it, and it leaves nothing behind.
 */
public final class Gate {
  private static final String STRUCTURE = "file.structure";

  /** Told how the checks get on. */
  public interface Progress {
    /** A check begins. */
    void onBegin(Check check);

    /** A check has ended, or was skipped. */
    void onResult(CheckResult result);
  }

  private final Path file;
  private final @Nullable Path reference;
  private final Engine engine;
  private final Policy policy;
  private final Progress progress;
  private final Deadline deadline;
  private final Map<String, CheckResult> results = new HashMap<>();

  private Gate(
      Path file, @Nullable Path reference, Engine engine, Policy policy, Progress progress) {
    this.file = file;
    this.reference = reference;
    this.engine = engine;
    this.policy = policy;
    this.progress = progress;
    deadline = Deadline.in(policy.timeout());
  }

  /**
   * Judges a file. Never throws on account of the file.
   *
   * <p>An interrupt of the calling thread ends the worker process; what was not done by then is
   * skipped, and the thread stays interrupted.
   *
   * @param reference file to compare with, null for none
   * @param engine what runs both
   */
  public static GateResult judge(
      Path file, @Nullable Path reference, Engine engine, Policy policy, Progress progress) {
    return new Gate(file, reference, engine, policy, progress).judge();
  }

  private GateResult judge() {
    var forWorker = new ArrayList<Check>();
    try (var subject = new Subject(file, reference, engine, policy)) {
      var patience = new Patience(deadline);
      for (Check check : Catalogue.checks()) {
        String reason = reasonToSkip(check);
        if (reason != null) {
          add(CheckResult.of(check.id(), Verdict.SKIPPED, reason));
        } else if (check.needs() == Needs.FILE) {
          progress.onBegin(check);
          add(patience.ask(check, subject));
        } else {
          forWorker.add(check);
        }
      }
    }
    Map<String, @Nullable Object> trace = forWorker.isEmpty() ? null : work(forWorker);
    List<CheckResult> inOrder =
        Catalogue.names().stream().map(results::get).map(Objects::requireNonNull).toList();
    return new GateResult(file, reference, policy, inOrder, trace);
  }

  private @Nullable String reasonToSkip(Check check) {
    if (!policy.wants(check.id())) {
      return "the policy does not ask for it";
    }
    if (check.needs() == Needs.REFERENCE && reference == null) {
      return "no reference was given";
    }
    CheckResult structure = results.get(STRUCTURE);
    return structure != null && broken(structure) ? "the file is not sound GGUF" : null;
  }

  private static boolean broken(CheckResult structure) {
    return structure.verdict() == Verdict.FAIL || structure.verdict() == Verdict.ERROR;
  }

  private @Nullable Map<String, @Nullable Object> work(List<Check> checks) {
    var job =
        new Job(
            "", file, reference, engine, policy, checks.stream().map(Check::id).toList(), Map.of());
    var forwarding =
        new Progress() {
          @Override
          public void onBegin(Check check) {
            progress.onBegin(check);
          }

          @Override
          public void onResult(CheckResult result) {
            add(result);
          }
        };
    var supervisor = new Supervisor(ChildJvm.of(Worker.class, file), job, deadline, forwarding);
    supervisor.run();
    return supervisor.trace();
  }

  private void add(CheckResult result) {
    results.put(result.id(), result);
    progress.onResult(result);
  }
}
