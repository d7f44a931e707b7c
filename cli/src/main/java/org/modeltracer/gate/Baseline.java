package org.modeltracer.gate;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.input.SmallFile;
import org.modeltracer.trace.Json;
import tools.jackson.core.JacksonException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;

/**
 * What an earlier check found, beside which only what is worse fails.
 *
 * <p>A check that fails now passes when it failed then, when everything that it found was found
 * then too (same rule, tensor, operation, layer), and when none of its numbers is worse by more
 * than the limit {@code baseline.tolerance}. A file that cannot be loaded, and a check that ended
 * in an error, are never forgiven.
 */
public final class Baseline {
  /** Ends of names of numbers of which less is worse; of all others more is. */
  private static final Set<String> LESS_IS_WORSE =
      Set.of("same_top1", "cosine", "bits", "snr_db", "least", "min");

  private final Map<String, CheckResult> checks = new HashMap<>();

  private Baseline(List<CheckResult> results) {
    results.forEach(result -> checks.put(result.id(), result));
  }

  /**
   * Reads a {@code summary.json} of the gate, or what {@code check --json} printed.
   *
   * @param patience time for a pipe
   * @throws IllegalArgumentException with one line, when it is not there or something else
   */
  public static Baseline read(Path file, Duration patience) {
    byte[] bytes = SmallFile.bytes(file, SmallFile.TEXT, patience);
    try {
      JsonNode json = Json.mapper().readTree(bytes);
      JsonNode verdict = json.path("verdict").isObject() ? json.path("verdict") : json;
      if (!verdict.path("checks").isArray()) {
        throw new IllegalArgumentException(
            file + ": no baseline: it holds no checks; give the summary.json of an earlier check");
      }
      return new Baseline(
          Json.mapper().convertValue(verdict.path("checks"), new TypeReference<>() {}));
    } catch (StreamReadException e) {
      throw new IllegalArgumentException(file + ": no baseline: it is not JSON", e);
    } catch (JacksonException e) {
      throw new IllegalArgumentException(
          file + ": no baseline: its checks are not those of a summary.json", e);
    }
  }

  /** What the gate says, without what was known before. */
  public GateResult forgive(GateResult result) {
    Policy policy = result.request().policy();
    return new GateResult(
        result.request(),
        result.results().stream().map(check -> forgive(check, policy)).toList(),
        result.trace());
  }

  private CheckResult forgive(CheckResult now, Policy policy) {
    CheckResult then = checks.get(now.id());
    if (now.verdict() != Verdict.FAIL
        || now.unreadable()
        || then == null
        || then.verdict() != Verdict.FAIL) {
      return now;
    }
    List<String> worse = worse(now, then, policy);
    return new CheckResult(
        now.id(),
        worse.isEmpty() ? Verdict.PASS : Verdict.FAIL,
        now.signals(),
        worse.isEmpty()
            ? "known since the baseline: " + now.message()
            : "worse than the baseline: " + String.join("; ", worse),
        now.evidence());
  }

  private static List<String> worse(CheckResult now, CheckResult then, Policy policy) {
    Set<Known> known = then.evidence().stream().map(Known::of).collect(Collectors.toSet());
    var worse = new ArrayList<String>();
    for (Evidence evidence : now.evidence()) {
      if (policy.fails(evidence.severity()) && !known.contains(Known.of(evidence))) {
        worse.add(evidence.message());
      }
    }
    double tolerance = policy.limit("baseline.tolerance");
    now.signals()
        .forEach(
            (name, value) -> {
              if (value instanceof Number is
                  && then.signals().get(name) instanceof Number was
                  && worse(name, is.doubleValue(), was.doubleValue(), tolerance)) {
                worse.add("%s was %s, is %s".formatted(name, was, is));
              }
            });
    return worse;
  }

  private static boolean worse(String name, double now, double then, double tolerance) {
    double change = LESS_IS_WORSE.stream().anyMatch(name::endsWith) ? then - now : now - then;
    return change > tolerance * Math.abs(then);
  }

  /** Where something was found, and what: the same in two versions of a file. */
  private record Known(
      String rule, @Nullable String tensor, @Nullable String op, @Nullable Integer layer) {
    static Known of(Evidence evidence) {
      return new Known(evidence.rule(), evidence.tensor(), evidence.op(), evidence.layer());
    }
  }
}
