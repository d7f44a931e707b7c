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
import org.modeltracer.weights.Hashes;

/**
 * What the gate asks of a file: which checks, with which limits, on which prompts.
 *
 * @param name the preset, or the name that a policy file gives itself
 * @param prompts texts that the model reads and continues
 * @param tokens tokens generated per prompt
 * @param seed seed of everything that is random
 * @param context tokens of context
 * @param threads threads for llama.cpp; 0 chooses by the size of the file
 * @param checks checks switched on or off by name, in the order in which they run
 * @param limits limits of the checks by name, such as {@code reference.kl_mean}
 * @param thresholds limits of the anomaly rules by name, as {@code Thresholds.from} takes them
 * @param failOn least severity of an anomaly that fails a check
 * @param timeout time for everything
 * @param memoryBytes resident memory that the process with the model may take; 0 for no limit
 * @param baseline summary of an earlier check, compared with which only what is worse fails; null
 *     for none
 */
public record Policy(
    String name,
    List<String> prompts,
    int tokens,
    long seed,
    int context,
    int threads,
    Map<String, Boolean> checks,
    Map<String, Double> limits,
    Map<String, Object> thresholds,
    Severity failOn,
    Duration timeout,
    long memoryBytes,
    @Nullable String baseline) {

  /** Copies the collections. */
  public Policy {
    prompts = List.copyOf(prompts);
    checks = Collections.unmodifiableMap(new LinkedHashMap<>(checks));
    limits = Map.copyOf(limits);
    thresholds = Map.copyOf(thresholds);
  }

  /** Whether the check of that name is wanted. */
  public boolean wants(String check) {
    return checks.getOrDefault(check, true);
  }

  /**
   * A limit by name.
   *
   * @throws IllegalArgumentException when no preset knows the name
   */
  public double limit(String name) {
    Double limit = limits.get(name);
    if (limit == null) {
      throw new IllegalArgumentException("policy: no limit is named '" + name + "'");
    }
    return limit;
  }

  /** The same with other checks switched on or off; what is not named stays as it is. */
  public Policy withChecks(Map<String, Boolean> changes) {
    var all = new LinkedHashMap<>(checks);
    all.putAll(changes);
    return with(all, timeout, memoryBytes, baseline);
  }

  /** The same with another time for everything, and another limit of memory in bytes. */
  public Policy within(Duration time, long bytes) {
    return with(checks, time, bytes, baseline);
  }

  /** The same with an earlier summary to compare with. */
  public Policy withBaseline(String summary) {
    return with(checks, timeout, memoryBytes, summary);
  }

  private Policy with(
      Map<String, Boolean> checks, Duration timeout, long memory, @Nullable String baseline) {
    return new Policy(
        name,
        prompts,
        tokens,
        seed,
        context,
        threads,
        checks,
        limits,
        thresholds,
        failOn,
        timeout,
        memory,
        baseline);
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
}
