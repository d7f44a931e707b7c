package org.modeltracer.gate;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.trace.Json;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * What an earlier check found, beside which only what is worse fails.
 *
 * <p>A check that fails now passes when it failed then, when everything that it found was found
 * then too (same rule, tensor, operation, layer), and when none of its numbers is worse by more
 * than the limit {@code baseline.tolerance}. A file that cannot be loaded, and a check that did not
 * end, are never forgiven.
 */
public final class Baseline {
  private static final Set<String> NEVER_FORGIVEN = Set.of("file.structure", "file.loads");

  /** Ends of names of numbers of which less is worse; of all others more is. */
  private static final Set<String> LESS_IS_WORSE =
      Set.of("same_top1", "cosine", "bits", "snr_db", "least", "min");

  private final Map<String, JsonNode> checks = new HashMap<>();

  private Baseline(JsonNode verdict) {
    for (JsonNode check : verdict.get("checks")) {
      checks.put(check.path("id").asString(""), check);
    }
  }

  /**
   * Reads a {@code summary.json} of the gate, or what {@code check --json} printed.
   *
   * @throws IllegalArgumentException with one line, when it is not there or something else
   */
  public static Baseline read(Path file) {
    try {
      JsonNode json = Json.mapper().readTree(Files.readAllBytes(file));
      JsonNode verdict = json.path("verdict").isObject() ? json.path("verdict") : json;
      if (!verdict.path("checks").isArray()) {
        throw new IllegalArgumentException(
            file + ": no baseline: it holds no checks; give the summary.json of an earlier check");
      }
      return new Baseline(verdict);
    } catch (JacksonException e) {
      throw new IllegalArgumentException(file + ": no baseline: it is not JSON", e);
    } catch (IOException e) {
      throw new IllegalArgumentException(file + ": the baseline cannot be read", e);
    }
  }

  /** The judgement without what was known before. */
  public GateResult forgive(GateResult judgement) {
    return new GateResult(
        judgement.file(),
        judgement.reference(),
        judgement.policy(),
        judgement.results().stream().map(r -> forgive(r, judgement.policy())).toList(),
        judgement.trace());
  }

  private CheckResult forgive(CheckResult result, Policy policy) {
    JsonNode before = checks.get(result.id());
    if (result.verdict() != Verdict.FAIL
        || before == null
        || NEVER_FORGIVEN.contains(result.id())
        || !before.path("verdict").asString("").equals(Verdict.FAIL.id())) {
      return result;
    }
    List<String> worse = worse(result, before, policy);
    return worse.isEmpty()
        ? new CheckResult(
            result.id(),
            Verdict.PASS,
            result.signals(),
            "known since the baseline: " + result.message(),
            result.evidence())
        : new CheckResult(
            result.id(),
            Verdict.FAIL,
            result.signals(),
            "worse than the baseline: " + String.join("; ", worse),
            result.evidence());
  }

  private static List<String> worse(CheckResult result, JsonNode before, Policy policy) {
    var worse = new ArrayList<String>();
    Set<String> known = new HashSet<>();
    for (JsonNode evidence : before.path("evidence")) {
      known.add(
          key(
              evidence.path("rule").asString(""),
              evidence.path("tensor").asString(""),
              evidence.path("op").asString(""),
              evidence.path("layer").isNumber() ? evidence.path("layer").asInt() : null));
    }
    for (Evidence evidence : result.evidence()) {
      boolean counts = evidence.severity().compareTo(policy.failOn()) >= 0;
      if (counts && !known.contains(key(evidence))) {
        worse.add(evidence.message());
      }
    }
    double tolerance = policy.limit("baseline.tolerance");
    result
        .signals()
        .forEach(
            (name, value) -> {
              JsonNode then = before.path("signals").path(name);
              if (value instanceof Number now
                  && then.isNumber()
                  && worse(name, now.doubleValue(), then.asDouble(), tolerance)) {
                worse.add("%s was %s, is %s".formatted(name, then, now));
              }
            });
    return worse;
  }

  private static boolean worse(String name, double now, double then, double tolerance) {
    double change = LESS_IS_WORSE.stream().anyMatch(name::endsWith) ? then - now : now - then;
    return change > tolerance * Math.abs(then);
  }

  private static String key(Evidence evidence) {
    return key(
        evidence.rule(),
        Objects.requireNonNullElse(evidence.tensor(), ""),
        Objects.requireNonNullElse(evidence.op(), ""),
        evidence.layer());
  }

  private static String key(String rule, String tensor, String op, @Nullable Integer layer) {
    return String.join("\n", rule, tensor, op, String.valueOf(layer));
  }
}
