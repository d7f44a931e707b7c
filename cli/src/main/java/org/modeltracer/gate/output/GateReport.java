package org.modeltracer.gate.output;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.Fault;
import org.modeltracer.gate.FileHashes;
import org.modeltracer.gate.GateResult;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;

/**
 * What the gate says of a file, and what else is needed to write it down.
 *
 * @param head what names the file
 * @param result what the gate says
 * @param seconds how long each check took that ran
 * @param hashes of the file, as far as there was time
 */
public record GateReport(
    JsonHead head, GateResult result, Map<String, Double> seconds, FileHashes hashes) {
  /** Copies the times. */
  public GateReport {
    seconds = Map.copyOf(seconds);
  }

  /** A report that reads the file's header, where it can, for its head. */
  public GateReport(GateResult result, Map<String, Double> seconds, FileHashes hashes) {
    this(JsonHead.of(result.request().file()), result, seconds, hashes);
  }

  /** What is wrong with the file, each cause once. */
  public List<Fault> faults() {
    return result.faults();
  }

  /** The short form, as {@code check --json} prints it; its schema is check.schema.json. */
  public Map<String, @Nullable Object> json() {
    Map<String, @Nullable Object> json = head.fields();
    Path reference = result.request().reference();
    json.put("verdict", result.verdict());
    json.put("file", file().toString());
    json.put("reference", reference == null ? null : reference.toString());
    json.put("policy", json(result.request().policy()));
    json.put("not_looked_for", result.notLookedFor());
    json.put("checks", result.results());
    return json;
  }

  /** What was asked of the file, so that it can be asked again. */
  private static Map<String, @Nullable Object> json(Policy policy) {
    Policy.Workload work = policy.workload();
    Map<String, @Nullable Object> json = new LinkedHashMap<>();
    json.put("name", policy.name());
    json.put("prompts", work.prompts().size());
    json.put("prompt_set_sha256", work.promptHash());
    json.put("text_sha256", work.textHash());
    json.put("tokens", work.tokens());
    json.put("seed", work.seed());
    json.put("context", work.context());
    json.put("threads", work.threads());
    json.put("fail_on", policy.rules().failOn().id());
    json.put("timeout", policy.budget().time().toMillis() / 1e3);
    json.put("memory_bytes", policy.budget().memoryBytes());
    json.put("baseline", policy.baseline());
    json.put("checks", new TreeMap<>(policy.checks()));
    json.put("limits", new TreeMap<>(policy.rules().limits()));
    json.put("thresholds", new TreeMap<>(policy.rules().thresholds()));
    return json;
  }

  /** The file. */
  public Path file() {
    return result.request().file();
  }

  /** {@code summary.json}: the traced run, hashes of the file and its tensors, the verdict. */
  public Map<String, @Nullable Object> summary() {
    return GateSummary.of(this);
  }

  /** Seconds that a check took, null when it did not run. */
  @Nullable Double secondsOf(CheckResult check) {
    return seconds.get(check.id());
  }

  /** Results with a verdict, in order. */
  List<CheckResult> results(Verdict verdict) {
    return result.results().stream().filter(r -> r.verdict() == verdict).toList();
  }

  /** Counts in words, such as {@code 12 passed, 1 failed}. */
  public String counts() {
    var words = new ArrayList<String>();
    int notAsked = result.notAsked().size();
    for (Verdict verdict : Verdict.values()) {
      int n = results(verdict).size() - (verdict == Verdict.SKIPPED ? notAsked : 0);
      if (n > 0) {
        words.add(n + " " + word(verdict));
      }
    }
    if (notAsked > 0) {
      words.add(notAsked + " not asked for");
    }
    return String.join(", ", words);
  }

  private static String word(Verdict verdict) {
    return switch (verdict) {
      case PASS -> "passed";
      case FAIL -> "failed";
      case SKIPPED -> "skipped";
      case ERROR -> "errored";
    };
  }
}
