package org.modeltracer.gate.checks;

/**
 * Whether the same prompt gives the same logits or embeddings twice: every bit of them on the CPU.
 */
final class DeterminismRepeat extends Check {
  DeterminismRepeat() {
    super(
        "determinism.repeat",
        Needs.MODEL,
        "the same prompt gives the same logits, or embeddings, twice");
  }

  @Override
  CheckResult run(Subject subject) {
    BareRuns runs = subject.bare();
    runs.requireOutputs();
    double limit = runs.onCpu() ? 0 : subject.policy().limit("determinism.repeat.relative");
    return OutputComparison.judge(
        new CheckResultBuilder(this, subject),
        runs,
        limit,
        (prompt, first) -> runs.whole(prompt),
        "when computed twice");
  }
}
