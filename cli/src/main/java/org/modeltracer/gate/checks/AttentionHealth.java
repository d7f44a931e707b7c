package org.modeltracer.gate.checks;

import java.util.List;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.policy.Policy;

/**
 * Whether attention works: every row sums to 1 and sees something, and few heads are dead, look at
 * all keys alike, or at one key only.
 */
final class AttentionHealth implements Check {
  @Override
  public String id() {
    return Anomalies.ATTENTION;
  }

  @Override
  public String description() {
    return "rows of attention sum to 1, heads are not dead, uniform or collapsed";
  }

  @Override
  public Needs needs() {
    return Needs.MODEL;
  }

  @Override
  public CheckResult run(Subject subject) {
    TracedPrompts traced = subject.traced();
    int heads = traced.attention().heads().size();
    long rows = traced.attention().rows();
    List<Anomaly> anomalies = traced.of(Anomalies.of(id()));
    if (rows == 0 && anomalies.isEmpty()) {
      throw new NotApplicable("no softmax attention was seen in this model");
    }
    var outcome = new CheckResultBuilder(this);
    outcome.signal("rows", rows).signal("heads", heads);
    for (Anomaly anomaly : anomalies) {
      if (anomaly.kind() == AnomalyKind.ROW_SUM || anomaly.kind() == AnomalyKind.MASKED_ROW) {
        outcome.fails(Evidence.of(anomaly));
      }
    }
    Policy policy = subject.policy();
    share(outcome, policy, "uniform", heads, evidence(anomalies, AnomalyKind.UNIFORM_ATTENTION));
    share(outcome, policy, "collapsed", heads, evidence(anomalies, AnomalyKind.ATTENTION_COLLAPSE));
    share(outcome, policy, "dead", heads, traced.dead().stream().map(AttentionHealth::of).toList());
    return outcome.result("%d rows of %d heads in order".formatted(rows, heads));
  }

  /** Fails when more than a share of the heads is in some way; one piece of evidence a head. */
  private static void share(
      CheckResultBuilder outcome, Policy policy, String what, int heads, List<Evidence> found) {
    double share = found.size() / (double) Math.max(1, heads);
    outcome.signal(what + "_heads", found.size());
    if (share > policy.limit("attention.health." + what)) {
      found.forEach(outcome::fails);
    } else {
      found.forEach(outcome::notes);
    }
  }

  /** The anomalies of a kind, which are told once a head. */
  private static List<Evidence> evidence(List<Anomaly> anomalies, AnomalyKind kind) {
    return anomalies.stream().filter(a -> a.kind() == kind).map(Evidence::of).toList();
  }

  private static Evidence of(LiveHeads.Dead head) {
    return new Evidence(
        AnomalyKind.DEAD_HEAD.id(),
        Severity.WARNING,
        "L%dH%d: the head's output is 0 for every token".formatted(head.layer(), head.head()),
        "kqv_out-" + head.layer(),
        null,
        head.layer(),
        null);
  }
}
