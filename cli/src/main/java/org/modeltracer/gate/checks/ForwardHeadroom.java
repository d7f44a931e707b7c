package org.modeltracer.gate.checks;

import java.util.Locale;
import org.modeltracer.anomaly.ActivationRules;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.model.Site;
import tools.jackson.databind.JsonNode;

/**
 * Whether values that llama.cpp turns into F16 stay well below its largest number.
 *
 * <p>The residual stream is not turned into F16 and may hold massive activations; how much room it
 * has is a signal.
 */
final class ForwardHeadroom implements Check {
  @Override
  public String id() {
    return Anomalies.HEADROOM_BITS;
  }

  @Override
  public String description() {
    return "bits left before values that are turned into F16 overflow";
  }

  @Override
  public Needs needs() {
    return Needs.MODEL;
  }

  @Override
  public CheckResult run(Subject subject) {
    double limit = subject.policy().limit("forward.headroom.bits");
    var outcome = new Outcome(this);
    double least = Double.POSITIVE_INFINITY;
    double leastStream = Double.POSITIVE_INFINITY;
    int places = 0;
    for (JsonNode place : subject.traced().tree().path("activations").path("places")) {
      Site site = Site.valueOf(place.path("site").asString().toUpperCase(Locale.ROOT));
      JsonNode headroom = place.path("stats").path("headroom_bits");
      // Null stands for infinitely many: all values are zero.
      double bits = headroom.isNumber() ? headroom.asDouble() : Double.POSITIVE_INFINITY;
      if (!ActivationRules.turnedIntoF16(site)) {
        leastStream = Math.min(leastStream, bits);
        continue;
      }
      places++;
      least = Math.min(least, bits);
      if (bits < limit) {
        outcome.fails(evidence(place, site, bits, limit));
      }
    }
    if (places == 0) {
      throw new NotApplicable("no place was seen whose values llama.cpp turns into F16");
    }
    outcome
        .signal("places", places)
        .signal("bits", least)
        .signal("bits_elsewhere", leastStream)
        .signal("limit", limit);
    return outcome.result(
        "at least %.1f bits before F16 overflow at %d places".formatted(least, places));
  }

  private static Evidence evidence(JsonNode place, Site site, double bits, double limit) {
    Integer layer = place.path("layer").isNumber() ? place.path("layer").asInt() : null;
    String name = site.name().toLowerCase(Locale.ROOT) + (layer == null ? "" : "-" + layer);
    return new Evidence(
        "headroom",
        bits < 0 ? Severity.CRITICAL : Severity.WARNING,
        "%s leaves %.2f bits before F16 overflow, fewer than %.4g".formatted(name, bits, limit),
        name,
        null,
        layer,
        null);
  }
}
