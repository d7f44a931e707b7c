package org.modeltracer.gate;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gate.policy.PolicyFile;

/** Policies with something changed. */
public final class Policies {
  /** Smoke, with all the time there is. */
  public static final Policy PATIENT =
      within(PolicyFile.preset("smoke"), Duration.ofMinutes(10), 0);

  private Policies() {}

  public static Policy withTokens(Policy p, int tokens, int context) {
    var w = p.workload();
    return with(
        p,
        new Policy.Workload(
            w.prompts(), w.text(), w.ownText(), tokens, w.seed(), context, w.threads()),
        p.rules());
  }

  static Policy withPrompts(Policy p, String... prompts) {
    var w = p.workload();
    return with(
        p,
        new Policy.Workload(
            List.of(prompts),
            w.text(),
            w.ownText(),
            w.tokens(),
            w.seed(),
            w.context(),
            w.threads()),
        p.rules());
  }

  public static Policy withChecks(Policy p, Map<String, Boolean> checks) {
    return new Policy(p.name(), p.workload(), checks, p.rules(), p.budget(), p.baseline());
  }

  static Policy within(Policy p, Duration time, long memoryBytes) {
    return p.within(new Policy.Budget(time, memoryBytes));
  }

  public static Policy withFailOn(Policy p, Severity least) {
    var rules = new Policy.Rules(p.rules().limits(), p.rules().thresholds(), least);
    return with(p, p.workload(), rules);
  }

  public static Policy withLimit(Policy p, String name, double value) {
    Map<String, Double> limits = new HashMap<>(p.rules().limits());
    limits.put(name, value);
    return with(
        p, p.workload(), new Policy.Rules(limits, p.rules().thresholds(), p.rules().failOn()));
  }

  private static Policy with(Policy p, Policy.Workload workload, Policy.Rules rules) {
    return new Policy(p.name(), workload, p.checks(), rules, p.budget(), p.baseline());
  }
}
