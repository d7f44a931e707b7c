package org.modeltracer.gate.policy;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.weights.Hashes;

/**
 * What the gate asks of a file: which checks, with which limits, on which prompts.
 *
 * @param name the preset, or the name that a policy file gives itself
 * @param workload what the model is given to do
 * @param checks checks switched on or off by name, in the order in which they run
 * @param rules what fails
 * @param budget what it may take
 * @param baseline summary of an earlier check, compared with which only what is worse fails; null
 *     for none
 */
public record Policy(
    String name,
    Workload workload,
    Map<String, Boolean> checks,
    Rules rules,
    Budget budget,
    @Nullable String baseline) {

  /**
   * What the model is given to do.
   *
   * @param prompts texts that the model reads and continues
   * @param text what the model's predictions are measured on
   * @param ownText whether that text is the policy's own, not a preset's
   * @param tokens tokens generated per prompt
   * @param seed seed of everything that is random
   * @param context tokens of context
   * @param threads threads for llama.cpp; 0 chooses by the size of the file
   */
  public record Workload(
      List<String> prompts,
      String text,
      boolean ownText,
      int tokens,
      long seed,
      int context,
      int threads) {
    /** Copies the prompts. */
    public Workload {
      prompts = List.copyOf(prompts);
    }

    /** The same with a text of one's own. */
    Workload withText(String other) {
      return new Workload(prompts, other, true, tokens, seed, context, threads);
    }

    /** The same with prompts of one's own. */
    Workload withPrompts(List<String> others) {
      return new Workload(others, text, ownText, tokens, seed, context, threads);
    }

    /** SHA-256 of the prompts in UTF-8, a zero byte after each: the same for the same prompts. */
    public String promptHash() {
      MessageDigest digest = Hashes.sha256();
      for (String prompt : prompts) {
        digest.update(prompt.getBytes(StandardCharsets.UTF_8));
        digest.update((byte) 0);
      }
      return HexFormat.of().formatHex(digest.digest());
    }

    /** SHA-256 of the text in UTF-8. */
    public String textHash() {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      return HexFormat.of().formatHex(Hashes.sha256().digest(bytes));
    }
  }

  /**
   * What fails.
   *
   * @param limits limits of the checks by name, such as {@code reference.kl_mean}
   * @param thresholds limits of the anomaly rules by name, as {@code Thresholds.from} takes them
   * @param failOn least severity of an anomaly that fails a check
   */
  public record Rules(Map<String, Double> limits, Map<String, Object> thresholds, Severity failOn) {
    /** Copies the maps. */
    public Rules {
      limits = Map.copyOf(limits);
      thresholds = Map.copyOf(thresholds);
    }
  }

  /**
   * What checking a file may take.
   *
   * @param time time for everything
   * @param memoryBytes resident memory of the process with the model; 0 for no limit
   */
  public record Budget(Duration time, long memoryBytes) {}

  /** Copies the checks. */
  public Policy {
    checks = Collections.unmodifiableMap(new LinkedHashMap<>(checks));
  }

  /** Whether the check of that name is wanted. */
  public boolean wants(String check) {
    return checks.getOrDefault(check, true);
  }

  /** Whether something so bad fails a check. */
  public boolean fails(Severity severity) {
    return severity.compareTo(rules.failOn()) >= 0;
  }

  /**
   * A limit by name.
   *
   * @throws IllegalArgumentException when no preset knows the name
   */
  public double limit(String name) {
    Double limit = rules.limits().get(name);
    if (limit == null) {
      throw new IllegalArgumentException("policy: no limit is named '" + name + "'");
    }
    return limit;
  }

  /** Limits of the anomaly rules. */
  public Thresholds thresholds() {
    return Thresholds.from(rules.thresholds());
  }

  /** The same with other checks switched on or off; what is not named stays as it is. */
  public Policy withChecks(Map<String, Boolean> changes) {
    var all = new LinkedHashMap<>(checks);
    all.putAll(changes);
    return new Policy(name, workload, all, rules, budget, baseline);
  }

  /** The same with another text to predict. */
  public Policy withText(String text) {
    return new Policy(name, workload.withText(text), checks, rules, budget, baseline);
  }

  /** The same with other prompts. */
  public Policy withPrompts(List<String> prompts) {
    return new Policy(name, workload.withPrompts(prompts), checks, rules, budget, baseline);
  }

  /** The same within another budget. */
  public Policy within(Budget other) {
    return new Policy(name, workload, checks, rules, other, baseline);
  }

  /** The same with an earlier summary to compare with. */
  public Policy withBaseline(String summary) {
    return new Policy(name, workload, checks, rules, budget, summary);
  }
}
