package org.modeltracer.gate.checks;

import java.util.List;
import java.util.stream.Collectors;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.policy.Policy;

/**
 * Whether attention works: every row sums to 1 and sees something, and few heads are dead, look at
 * all keys alike, or at one key only.
 */
final class AttentionHealth extends Check {
  AttentionHealth() {
    super(
        "attention.health",
        Needs.MODEL,
        "rows of attention sum to 1, heads are not dead, uniform or collapsed");
  }

  @Override
  List<AnomalyKind> anomalies() {
    return List.of(
        AnomalyKind.ROW_SUM,
        AnomalyKind.MASKED_ROW,
        AnomalyKind.ATTENTION_COLLAPSE,
        AnomalyKind.UNIFORM_ATTENTION,
        AnomalyKind.DEAD_HEAD);
  }

  @Override
  CheckResult run(Subject subject) {
    TracedPrompts traced = subject.traced();
    int heads = traced.attention().heads().size();
    long rows = traced.attention().rows();
    List<Anomaly> anomalies = traced.of(anomalies());
    if (rows == 0 && anomalies.isEmpty()) {
      throw new NotApplicable("no softmax attention was seen in this model");
    }
    var check = new CheckResultBuilder(this, subject);
    check.signal("rows", rows).signal("heads", heads);
    for (Anomaly anomaly : anomalies) {
      if (anomaly.kind() == AnomalyKind.ROW_SUM || anomaly.kind() == AnomalyKind.MASKED_ROW) {
        check.fails(Evidence.of(anomaly));
      }
    }
    Policy policy = subject.policy();
    share(check, policy, "uniform", heads, evidence(anomalies, AnomalyKind.UNIFORM_ATTENTION));
    share(check, policy, "collapsed", heads, evidence(anomalies, AnomalyKind.ATTENTION_COLLAPSE));
    share(check, policy, "dead", heads, traced.dead().stream().map(AttentionHealth::of).toList());
    return check.result("%d rows of %d heads in order%s".formatted(rows, heads, notFinite(traced)));
  }

  /** Rows that are no numbers have no shape to judge; {@code forward.finite} fails by them. */
  private static String notFinite(TracedPrompts traced) {
    String layers =
        traced.of(List.of(AnomalyKind.NAN, AnomalyKind.INF)).stream()
            .filter(a -> a.head() != null && a.layer() != null)
            .map(a -> String.valueOf(a.layer()))
            .distinct()
            .collect(Collectors.joining(", "));
    return layers.isEmpty() ? "" : "; not judged, as they are not finite: rows of layer " + layers;
  }

  /** Fails when more than a share of the heads is in some way; one piece of evidence per head. */
  private static void share(
      CheckResultBuilder check, Policy policy, String what, int heads, List<Evidence> found) {
    double limit = policy.limit("attention.health." + what);
    check.share(what + "_heads", found.size(), heads, limit, found);
  }

  /** The anomalies of a kind, which are reported once per head. */
  private static List<Evidence> evidence(List<Anomaly> anomalies, AnomalyKind kind) {
    return anomalies.stream().filter(a -> a.kind() == kind).map(Evidence::of).toList();
  }

  private static Evidence of(LiveHeads.Dead head) {
    return Evidence.ofTensor(
        AnomalyKind.DEAD_HEAD.id(),
        Severity.WARNING,
        "kqv_out-" + head.layer(),
        head.layer(),
        "L%dH%d: the head's output is 0 for every token".formatted(head.layer(), head.head()));
  }
}
