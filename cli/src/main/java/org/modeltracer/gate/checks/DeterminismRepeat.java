package org.modeltracer.gate.checks;

/** Whether the same prompt gives the same logits twice: every bit of them on the CPU. */
final class DeterminismRepeat extends Check {
  DeterminismRepeat() {
    super("determinism.repeat", Needs.MODEL, "the same prompt gives the same logits twice");
  }

  @Override
  CheckResult run(Subject subject) {
    BareRuns runs = subject.bare();
    runs.requireLogits();
    double limit = runs.onCpu() ? 0 : subject.policy().limit("determinism.repeat.relative");
    return LogitComparison.judge(
        new CheckResultBuilder(this, subject),
        runs,
        limit,
        (prompt, first) -> runs.whole(prompt),
        "when computed twice");
  }
}
