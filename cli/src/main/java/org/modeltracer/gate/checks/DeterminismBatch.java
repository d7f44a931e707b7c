package org.modeltracer.gate.checks;

/**
 * Whether reading a prompt at once and token by token amounts to the same.
 *
 * <p>Kernels round differently for one token and for many, so the logits are close, not equal.
 */
final class DeterminismBatch extends Check {
  DeterminismBatch() {
    super(
        "determinism.batch",
        Needs.MODEL,
        "a prompt read at once gives the logits of reading it token by token");
  }

  @Override
  CheckResult run(Subject subject) {
    BareRuns runs = subject.bare();
    runs.requireLogits();
    runs.requireMemory();
    double limit = subject.policy().limit("determinism.batch.relative");
    return LogitComparison.judge(
        new CheckResultBuilder(this, subject),
        runs,
        limit,
        (prompt, first) -> runs.steps(prompt),
        "in a batch and token by token");
  }
}
