package org.modeltracer.gate.checks;

/** Whether what the KV cache holds of a prompt can be used again. */
final class KvReuse extends Check {
  KvReuse() {
    super(
        "kv.reuse",
        Needs.MODEL,
        "a prefix that is still in the KV cache gives the logits of computing it afresh");
  }

  @Override
  CheckResult run(Subject subject) {
    BareRuns runs = subject.bare();
    runs.requireOutputs();
    runs.requireMemory();
    double limit = subject.policy().limit("kv.reuse.relative");
    return OutputComparison.judge(
        new CheckResultBuilder(this, subject),
        runs,
        limit,
        (prompt, first) -> runs.rest(prompt, prompt.length / 2),
        "with the first half of the prompt reused");
  }
}
