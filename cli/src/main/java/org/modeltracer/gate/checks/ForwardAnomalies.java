package org.modeltracer.gate.checks;

import java.util.TreeMap;
import org.modeltracer.anomaly.Anomaly;

/** Whether no anomaly of a kind without a check of its own is as bad as the policy forbids. */
final class ForwardAnomalies implements Check {
  @Override
  public String id() {
    return "forward.anomalies";
  }

  @Override
  public String description() {
    return "no other anomaly (explosion, vanishing, residual dominance, dead expert, KV cache …)";
  }

  @Override
  public Needs needs() {
    return Needs.MODEL;
  }

  @Override
  public CheckResult run(Subject subject) {
    TracedPrompts traced = subject.traced();
    var outcome = new CheckResultBuilder(this);
    var kinds = new TreeMap<String, Long>();
    int lesser = 0;
    for (Anomaly anomaly : traced.of(Anomalies.others(subject.policy()))) {
      kinds.merge(anomaly.kind().id(), 1 + anomaly.repeats(), Long::sum);
      if (subject.policy().fails(anomaly.severity())) {
        outcome.fails(Evidence.of(anomaly));
      } else {
        outcome.notes(Evidence.of(anomaly));
        lesser++;
      }
    }
    outcome.signal("passes", traced.passes());
    kinds.forEach(outcome::signal);
    return outcome.result(
        lesser == 0
            ? "no anomaly in %d forward passes".formatted(traced.passes())
            : "%d anomalies, all below %s"
                .formatted(lesser, subject.policy().rules().failOn().id()));
  }
}
