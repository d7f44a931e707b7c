package org.modeltracer.gate.output;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.GateResult;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;

/**
 * A judgement and what is needed to write it down.
 *
 * @param judgement what the gate says of a file
 * @param seconds how long each check took that ran
 */
public record GateReport(GateResult judgement, Map<String, Double> seconds) {
  /** Copies the times. */
  public GateReport {
    seconds = Map.copyOf(seconds);
  }

  /** The short form, as {@code check --json} prints it; its schema is check.schema.json. */
  public Map<String, @Nullable Object> json() {
    Map<String, @Nullable Object> json = new LinkedHashMap<>();
    json.put("verdict", judgement.verdict());
    json.put("file", judgement.file().toString());
    json.put("reference", judgement.reference() == null ? null : judgement.reference().toString());
    json.put("policy", policy());
    json.put("checks", judgement.results());
    return json;
  }

  /** What was asked of the file, so that it can be asked again. */
  private Map<String, @Nullable Object> policy() {
    Policy policy = judgement.policy();
    Map<String, @Nullable Object> json = new LinkedHashMap<>();
    json.put("name", policy.name());
    json.put("prompts", policy.prompts().size());
    json.put("prompt_set_sha256", policy.promptHash());
    json.put("tokens", policy.tokens());
    json.put("seed", policy.seed());
    json.put("context", policy.context());
    json.put("threads", policy.threads());
    json.put("fail_on", policy.failOn().id());
    json.put("timeout", policy.timeout().toMillis() / 1e3);
    json.put("memory_bytes", policy.memoryBytes());
    json.put("baseline", policy.baseline());
    json.put("checks", new TreeMap<>(policy.checks()));
    json.put("limits", new TreeMap<>(policy.limits()));
    json.put("thresholds", new TreeMap<>(policy.thresholds()));
    return json;
  }

  /** {@code summary.json}: the traced run, hashes of the file and its tensors, the verdict. */
  public Map<String, @Nullable Object> summary() {
    return GateSummary.of(this);
  }

  /** Seconds that a check took, null when it did not run. */
  @Nullable Double secondsOf(CheckResult result) {
    return seconds.get(result.id());
  }

  /** Results with a verdict, in order. */
  List<CheckResult> results(Verdict verdict) {
    return judgement.results().stream().filter(r -> r.verdict() == verdict).toList();
  }

  /** Counts in words, such as {@code 12 passed, 1 failed}. */
  public String counts() {
    var words = new ArrayList<String>();
    for (Verdict verdict : Verdict.values()) {
      int n = results(verdict).size();
      if (n > 0) {
        words.add(n + " " + word(verdict));
      }
    }
    return String.join(", ", words);
  }

  private static String word(Verdict verdict) {
    return switch (verdict) {
      case PASS -> "passed";
      case FAIL -> "failed";
      case SKIPPED -> "skipped";
      case ERROR -> "did not end";
    };
  }
}
