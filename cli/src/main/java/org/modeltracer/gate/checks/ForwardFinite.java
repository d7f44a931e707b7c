package org.modeltracer.gate.checks;

import java.util.List;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;

/** Whether no value anywhere in the forward passes is NaN or infinite. */
final class ForwardFinite extends Check {
  ForwardFinite() {
    super(
        "forward.finite",
        Needs.MODEL,
        "no NaN or infinity anywhere in the forward passes, else their root cause");
  }

  @Override
  List<AnomalyKind> anomalies() {
    return List.of(AnomalyKind.NAN, AnomalyKind.INF);
  }

  @Override
  CheckResult run(Subject subject) {
    TracedPrompts traced = subject.traced();
    int places = traced.places().size();
    if (places == 0) {
      throw new NotApplicable("no place of this model's graph is known, so none was observed");
    }
    var check = new CheckResultBuilder(this, subject);
    check
        .signal("passes", traced.passes())
        .signal("tokens", traced.prompts().size())
        .signal("places", places)
        .signal("replays", traced.replays())
        .signal("nan", count(traced, AnomalyKind.NAN))
        .signal("inf", count(traced, AnomalyKind.INF));
    traced.of(anomalies()).forEach(a -> check.fails(Evidence.of(a)));
    return check.result(
        "no NaN, no infinity at %d places in %d forward passes".formatted(places, traced.passes()));
  }

  private static long count(TracedPrompts traced, AnomalyKind kind) {
    return traced.anomalies().stream()
        .filter(a -> a.kind() == kind)
        .mapToLong(Anomaly::times)
        .sum();
  }
}
