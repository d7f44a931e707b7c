package org.modeltracer.gate.checks;

import java.util.List;
import org.modeltracer.anomaly.ActivationRules;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.trace.ObservedPlace;

/**
 * Whether values that llama.cpp turns into F16 stay well below its largest number.
 *
 * <p>The residual stream is not turned into F16 and may hold massive activations; how much room it
 * has is a signal.
 */
final class ForwardHeadroom extends Check {
  ForwardHeadroom() {
    super(
        "forward.headroom",
        Needs.MODEL,
        "bits left before values that are turned into F16 overflow");
  }

  @Override
  List<AnomalyKind> anomalies() {
    return List.of(AnomalyKind.HEADROOM);
  }

  @Override
  CheckResult run(Subject subject) {
    double limit = subject.policy().limit("forward.headroom.bits");
    var check = new CheckResultBuilder(this, subject);
    double least = Double.POSITIVE_INFINITY;
    double leastStream = Double.POSITIVE_INFINITY;
    int places = 0;
    int broken = 0;
    for (ObservedPlace place : subject.traced().places()) {
      double bits = place.stats().headroomBits();
      if (Double.isNaN(bits)) {
        broken++;
        continue;
      }
      if (!ActivationRules.turnedIntoF16(place.site())) {
        leastStream = Math.min(leastStream, bits);
        continue;
      }
      places++;
      least = Math.min(least, bits);
      if (bits < limit) {
        check.fails(evidence(place, bits, limit));
      }
    }
    if (places == 0 && broken > 0) {
      throw new NotApplicable(
          "no place that llama.cpp turns into F16 has finite values only; see forward.finite");
    }
    if (places == 0) {
      throw new NotApplicable("no place was seen whose values llama.cpp turns into F16");
    }
    check
        .signal("places", places)
        .signal("bits", least)
        .signal("bits_elsewhere", leastStream)
        .signal("limit", limit);
    return check.result(
        "at least %.1f bits before F16 overflow at %d places".formatted(least, places));
  }

  private static Evidence evidence(ObservedPlace place, double bits, double limit) {
    Integer layer = place.layer();
    String name = place.site().id() + (layer == null ? "" : "-" + layer);
    return Evidence.ofTensor(
        "headroom",
        bits < 0 ? Severity.CRITICAL : Severity.WARNING,
        name,
        layer,
        "%s leaves %.2f bits before F16 overflow, fewer than %.4g".formatted(name, bits, limit));
  }
}
