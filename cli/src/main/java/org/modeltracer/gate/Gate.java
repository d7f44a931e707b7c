package org.modeltracer.gate;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.Catalogue;
import org.modeltracer.gate.checks.Check;
import org.modeltracer.gate.checks.Check.Needs;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Subject;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.process.ChildJvm;

/**
 * Asks the checks of a policy of a file.
 *
 * <p>What needs the file alone runs in this process, in pure Java. All else runs in a process of
 * its own, which llama.cpp may bring down; this one watches it, and it leaves nothing behind.
 */
public final class Gate {
  /** Listens for how the checks get on. */
  public interface Progress {
    /** A check begins. */
    void onBegin(Check check);

    /** A check has ended, or was skipped. */
    void onResult(CheckResult result);
  }

  private final CheckRequest request;
  private final Progress progress;
  private final Deadline deadline;
  private final Map<String, CheckResult> results = new HashMap<>();
  private boolean unsound;

  private Gate(CheckRequest request, Deadline deadline, Progress progress) {
    this.request = request;
    this.progress = progress;
    this.deadline = deadline;
  }

  /**
   * Judges a file. Never throws on account of the file.
   *
   * <p>An interrupt of the calling thread ends the worker process; what was not done by then is
   * skipped, and the thread stays interrupted.
   *
   * @param deadline when all checks have to be done, whatever the policy allows
   */
  public static GateResult judge(CheckRequest request, Deadline deadline, Progress progress) {
    return new Gate(request, deadline, progress).judge();
  }

  /** Judges a file in the time that the policy allows. */
  public static GateResult judge(CheckRequest request, Progress progress) {
    return judge(request, Deadline.in(request.policy().budget().time()), progress);
  }

  private GateResult judge() {
    var forWorker = new ArrayList<String>();
    try (var subject = new Subject(request)) {
      var patience = new Patience(deadline);
      for (Check check : Catalogue.checks()) {
        String reason = reasonToSkip(check, subject);
        if (reason != null) {
          add(CheckResult.of(check.id(), Verdict.SKIPPED, reason));
        } else if (check.needs() == Needs.FILE || check.needs() == Needs.REFERENCE_FILE) {
          progress.onBegin(check);
          add(patience.ask(check, subject));
        } else {
          forWorker.add(check.id());
        }
      }
    }
    Map<String, @Nullable Object> trace = forWorker.isEmpty() ? null : work(forWorker);
    List<CheckResult> inOrder =
        Catalogue.names().stream().map(results::get).map(Objects::requireNonNull).toList();
    return new GateResult(request, inOrder, trace);
  }

  private @Nullable String reasonToSkip(Check check, Subject subject) {
    if (!request.policy().wants(check.id())) {
      return "the policy does not ask for it";
    }
    boolean compares = check.needs() == Needs.REFERENCE || check.needs() == Needs.REFERENCE_FILE;
    if (compares && request.reference() == null) {
      return "no reference was given";
    }
    if (check.needs() == Needs.PREDICTIONS
        && request.reference() == null
        && request.klBase() == null) {
      return "neither a reference nor its stored predictions were given";
    }
    if (unsound) {
      return "the file is not sound GGUF";
    }
    boolean runs =
        switch (check.needs()) {
          case FILE, REFERENCE_FILE, RUNTIME -> false;
          case MODEL, REFERENCE, PREDICTIONS -> true;
        };
    return runs ? subject.notAModel(check) : null;
  }

  private @Nullable Map<String, @Nullable Object> work(List<String> checks) {
    var job = new Job(request, checks, Map.of());
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
    var supervisor =
        new Supervisor(ChildJvm.of(Worker.class, request.file()), job, deadline, forwarding);
    supervisor.run();
    return supervisor.trace();
  }

  private void add(CheckResult result) {
    results.put(result.id(), result);
    unsound |= result.unsound();
    progress.onResult(result);
  }
}
