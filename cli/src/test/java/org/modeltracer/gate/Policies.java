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
    return new Policy(
        p.name(),
        p.prompts(),
        tokens,
        p.seed(),
        context,
        p.threads(),
        p.checks(),
        p.limits(),
        p.thresholds(),
        p.failOn(),
        p.timeout(),
        p.memoryBytes(),
        p.baseline());
  }

  static Policy withPrompts(Policy p, String... prompts) {
    return new Policy(
        p.name(),
        List.of(prompts),
        p.tokens(),
        p.seed(),
        p.context(),
        p.threads(),
        p.checks(),
        p.limits(),
        p.thresholds(),
        p.failOn(),
        p.timeout(),
        p.memoryBytes(),
        p.baseline());
  }

  public static Policy withChecks(Policy p, Map<String, Boolean> checks) {
    return new Policy(
        p.name(),
        p.prompts(),
        p.tokens(),
        p.seed(),
        p.context(),
        p.threads(),
        checks,
        p.limits(),
        p.thresholds(),
        p.failOn(),
        p.timeout(),
        p.memoryBytes(),
        p.baseline());
  }

  static Policy within(Policy p, Duration timeout, long memoryBytes) {
    return new Policy(
        p.name(),
        p.prompts(),
        p.tokens(),
        p.seed(),
        p.context(),
        p.threads(),
        p.checks(),
        p.limits(),
        p.thresholds(),
        p.failOn(),
        timeout,
        memoryBytes,
        p.baseline());
  }

  public static Policy withFailOn(Policy p, Severity least) {
    return new Policy(
        p.name(),
        p.prompts(),
        p.tokens(),
        p.seed(),
        p.context(),
        p.threads(),
        p.checks(),
        p.limits(),
        p.thresholds(),
        least,
        p.timeout(),
        p.memoryBytes(),
        p.baseline());
  }

  public static Policy withLimit(Policy p, String name, double value) {
    Map<String, Double> limits = new HashMap<>(p.limits());
    limits.put(name, value);
    return new Policy(
        p.name(),
        p.prompts(),
        p.tokens(),
        p.seed(),
        p.context(),
        p.threads(),
        p.checks(),
        limits,
        p.thresholds(),
        p.failOn(),
        p.timeout(),
        p.memoryBytes(),
        p.baseline());
  }
}
