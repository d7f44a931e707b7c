package org.modeltracer.gate;

import java.nio.file.Path;
import java.util.List;
import org.modeltracer.gate.checks.Check;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.llama.Engine;

/** Judgements for tests. */
public final class Judged {
  /** Nobody listens. */
  public static final Gate.Progress QUIET =
      new Gate.Progress() {
        @Override
        public void onBegin(Check check) {}

        @Override
        public void onResult(CheckResult result) {}
      };

  private Judged() {}

  static GateResult by(String preset, Path file) {
    return by(PolicyFile.preset(preset), file);
  }

  static GateResult by(Policy policy, Path file) {
    return by(policy, file, Engine.usual());
  }

  static GateResult by(Policy policy, Path file, Engine engine) {
    return Gate.judge(new CheckRequest(file, null, null, engine, policy), QUIET);
  }

  public static CheckResult result(GateResult judgement, String check) {
    return judgement.results().stream().filter(r -> r.id().equals(check)).findAny().orElseThrow();
  }

  public static List<String> ids(GateResult judgement, Verdict verdict) {
    return judgement.results().stream()
        .filter(r -> r.verdict() == verdict)
        .map(CheckResult::id)
        .toList();
  }

  /** The exit code that the design asks for. */
  static int exitCode(GateResult judgement) {
    if (judgement.unreadable()) {
      return 3;
    }
    return switch (judgement.verdict()) {
      case PASS -> 0;
      case FAIL -> 1;
      case SKIPPED -> 4;
      case ERROR -> 5;
    };
  }
}
