package org.modeltracer.gate.checks;

/**
 * Whether reading a prompt at once and token by token amounts to the same, or, for a model that can
 * only read at once, reading it alone and beside another text.
 *
 * <p>Kernels round differently for one token and for many, so what comes out is close, not equal.
 */
final class DeterminismBatch extends Check {
  DeterminismBatch() {
    super(
        "determinism.batch",
        Needs.MODEL,
        "a prompt read at once gives what reading it token by token does, or beside another text");
  }

  @Override
  CheckResult run(Subject subject) {
    BareRuns runs = subject.bare();
    runs.requireOutputs();
    double limit = subject.policy().limit("determinism.batch.relative");
    if (runs.readsAtOnce()) {
      int[] other = runs.prompts().getLast();
      return OutputComparison.judge(
          new CheckResultBuilder(this, subject),
          runs,
          limit,
          (prompt, first) -> runs.beside(prompt, other),
          "alone and beside another text");
    }
    runs.requireMemory();
    return OutputComparison.judge(
        new CheckResultBuilder(this, subject),
        runs,
        limit,
        (prompt, first) -> runs.steps(prompt),
        "in a batch and token by token");
  }
}
