package org.modeltracer.gate.checks;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.gate.policy.Policy;

/** Whether no anomaly of a kind without a check of its own is as bad as the policy forbids. */
final class ForwardAnomalies extends Check {
  ForwardAnomalies() {
    super(
        "forward.anomalies",
        Needs.MODEL,
        "no other anomaly (explosion, vanishing, residual dominance, dead expert, KV cache …)");
  }

  @Override
  CheckResult run(Subject subject) {
    TracedPrompts traced = subject.traced();
    var check = new CheckResultBuilder(this, subject);
    var kinds = new TreeMap<String, Long>();
    int lesser = 0;
    for (Anomaly anomaly : traced.of(others(subject.policy()))) {
      kinds.merge(anomaly.kind().id(), anomaly.times(), Long::sum);
      if (subject.policy().fails(anomaly.severity())) {
        check.fails(Evidence.of(anomaly));
      } else {
        check.notes(Evidence.of(anomaly));
        lesser++;
      }
    }
    check.signal("passes", traced.passes());
    kinds.forEach(check::signal);
    return check.result(
        lesser == 0
            ? "no anomaly in %d forward passes".formatted(traced.passes())
            : "%d anomal%s below %s"
                .formatted(
                    lesser, lesser == 1 ? "y" : "ies", subject.policy().rules().failOn().id()));
  }

  /** Kinds that no other check judges: there is none, or the policy does not ask it. */
  private static List<AnomalyKind> others(Policy policy) {
    Set<AnomalyKind> others = EnumSet.allOf(AnomalyKind.class);
    Catalogue.checks().stream()
        .filter(check -> policy.wants(check.id()))
        .forEach(check -> others.removeAll(check.anomalies()));
    return List.copyOf(others);
  }
}
