package org.modeltracer.gate;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.Catalogue;
import org.modeltracer.gate.checks.Check;
import org.modeltracer.gate.checks.Check.Needs;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Stage;
import org.modeltracer.gate.checks.Subject;
import org.modeltracer.gate.checks.Verdict;

/**
 * Has checks run in worker processes, and answers for each of them whatever becomes of a worker.
 *
 * <p>A worker that goes down takes the check under way with it, which is then an error. Another one
 * carries on with the rest, but for what needs the work that took the first one down. A worker that
 * takes too long, or is interrupted, is the last.
 */
final class Supervisor {
  private static final int MOST_WORKERS = 4;

  /** How a worker ended that says it has done all, when a result was lost in other output. */
  private static final Watch.End LOST =
      new Watch.End("the process with llama.cpp lost its result", null);

  private final ProcessBuilder command;
  private final Job job;
  private final Deadline deadline;
  private final Gate.Progress progress;
  private final Deque<Check> left = new ArrayDeque<>();
  private final Map<Stage, String> broken = new EnumMap<>(Stage.class);
  private final List<CheckResult> results = new ArrayList<>();
  private @Nullable Map<String, @Nullable Object> trace;
  private @Nullable Stage stage;

  Supervisor(ProcessBuilder command, Job job, Deadline deadline, Gate.Progress progress) {
    this.command = command;
    this.job = job;
    this.deadline = deadline;
    this.progress = progress;
    job.checks().forEach(id -> left.add(Catalogue.find(id).orElseThrow()));
  }

  /** Results of all checks of the job. */
  List<CheckResult> run() {
    for (int worker = 0; !left.isEmpty(); worker++) {
      String why =
          worker == MOST_WORKERS
              ? "the process with llama.cpp went down " + MOST_WORKERS + " times"
              : work();
      if (why != null) {
        left.forEach(check -> add(CheckResult.of(check.id(), Verdict.SKIPPED, why)));
        left.clear();
      }
      skipWhatLoads();
    }
    return results;
  }

  /** What the traced run left, null when none began. */
  @Nullable Map<String, @Nullable Object> trace() {
    return trace;
  }

  /** Runs one worker; returns why no other can carry on, or null. */
  private @Nullable String work() {
    Job rest = new Job(job.request(), left.stream().map(Check::id).toList(), broken);
    stage = null;
    try (var process = new WorkerProcess(command, rest)) {
      var watch = new Watch(process, deadline, job.request().policy().budget().memoryBytes());
      Message message = watch.next();
      while (message != null && !(message instanceof Message.End)) {
        take(message);
        message = watch.next();
      }
      return down(message == null ? watch.end() : LOST);
    } catch (IOException e) {
      add(error("cannot start a process for llama.cpp: " + e.getMessage()));
      return "the process for llama.cpp does not start";
    }
  }

  private void take(Message message) {
    switch (message) {
      case Message.Begin(var id) -> progress.onBegin(Catalogue.find(id).orElseThrow());
      case Message.Enter(var entered) -> stage = entered;
      case Message.Leave() -> stage = null;
      case Message.Trace(var summary) -> trace = summary;
      case Message.Result(var result) -> {
        if (!left.isEmpty() && left.getFirst().id().equals(result.id())) {
          left.removeFirst();
          add(result);
        }
      }
      case Message.LastWords(var words) -> throw new IllegalStateException(words);
      case Message.End() -> throw new IllegalStateException("handled before");
    }
  }

  private @Nullable String down(Watch.End end) {
    if (!left.isEmpty()) {
      add(error(end.words()));
    }
    if (stage != null) {
      broken.put(stage, end.words());
    }
    return end.afterwards();
  }

  private CheckResult error(String words) {
    return CheckResult.of(left.removeFirst().id(), Verdict.ERROR, words);
  }

  private void skipWhatLoads() {
    String why = broken.get(Stage.LOAD);
    if (why != null) {
      left.removeIf(check -> check.needs().compareTo(Needs.MODEL) >= 0 && skip(check, why));
    }
  }

  private boolean skip(Check check, String why) {
    add(CheckResult.of(check.id(), Verdict.SKIPPED, Subject.broken(Stage.LOAD, why)));
    return true;
  }

  private void add(CheckResult result) {
    results.add(result);
    progress.onResult(result);
  }
}
