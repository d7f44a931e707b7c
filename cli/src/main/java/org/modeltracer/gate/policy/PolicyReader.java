package org.modeltracer.gate.policy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.gate.policy.Policy.Budget;
import org.modeltracer.gate.policy.Policy.Rules;
import org.modeltracer.gate.policy.Policy.Workload;

/** Makes a policy of the keys and values of a file, and says which of them cannot be meant. */
final class PolicyReader {
  private static final List<String> KEYS =
      List.of(
          "preset",
          "name",
          "description",
          "prompts",
          "text",
          "tokens",
          "seed",
          "context",
          "threads",
          "checks",
          "limits",
          "thresholds",
          "fail_on",
          "timeout",
          "memory",
          "baseline");

  private static final int MOST_TOKENS = 1 << 20;
  private static final long MEGABYTE = 1 << 20;

  private final String source;
  private final Map<String, Object> values;

  private PolicyReader(String source, Map<String, Object> values) {
    this.source = source;
    this.values = values;
  }

  /**
   * The policy that a file describes.
   *
   * @param source the file, for messages
   * @param folder what its baseline is relative to, null for the working folder
   * @throws IllegalArgumentException with one line
   */
  static Policy read(String source, Map<String, Object> values, @Nullable Path folder) {
    var reader = new PolicyReader(source, values);
    reader.refuseUnknown("key", values, KEYS);
    Policy base = reader.base();
    return reader.policy(base, folder);
  }

  /** What the file starts from; the default preset alone starts from nothing. */
  private Policy base() {
    if (source.equals("preset default")) {
      return new Policy(
          "default",
          new Workload(List.of(), "", false, 1, 0, 1, 0),
          Map.of(),
          new Rules(Map.of(), Map.of(), Severity.WARNING),
          new Budget(Duration.ZERO, 0),
          null);
    }
    String preset = text("preset", "default");
    if (!PolicyFile.presets().contains(preset)) {
      throw wrong("preset", "one of " + PolicyFile.presets());
    }
    return PolicyFile.preset(preset);
  }

  private Policy policy(Policy base, @Nullable Path folder) {
    String baseline = text("baseline", "");
    return new Policy(
        text("name", values.isEmpty() ? base.name() : source),
        workload(base.workload()),
        checks(base.checks()),
        new Rules(
            limits(base.rules().limits()),
            thresholds(base.rules().thresholds()),
            severity(base.rules().failOn())),
        budget(base.budget()),
        baseline.isEmpty()
            ? base.baseline()
            : folder == null ? baseline : folder.resolve(baseline).toString());
  }

  private Workload workload(Workload base) {
    return new Workload(
        prompts(base.prompts()),
        text("text", base.text()),
        base.ownText() || values.containsKey("text") && !source.startsWith("preset "),
        (int) whole("tokens", base.tokens(), 1, MOST_TOKENS),
        whole("seed", base.seed(), 0, 0xffffffffL),
        (int) whole("context", base.context(), 1, MOST_TOKENS),
        (int) whole("threads", base.threads(), 0, 1024));
  }

  private Budget budget(Budget base) {
    double seconds = number("timeout", base.time().toMillis() / 1e3, x -> x > 0);
    return new Budget(Duration.ofMillis(Math.round(1000 * seconds)), memory(base.memoryBytes()));
  }

  private long memory(long base) {
    return "auto".equals(values.get("memory"))
        ? MachineMemory.allowed()
        : MEGABYTE * whole("memory", base / MEGABYTE, 0, Long.MAX_VALUE / MEGABYTE);
  }

  private List<String> prompts(List<String> otherwise) {
    Object value = values.get("prompts");
    if (value == null) {
      return otherwise;
    }
    var prompts = new ArrayList<String>();
    for (Object prompt : value instanceof List<?> list ? list : List.of()) {
      if (!(prompt instanceof String text) || text.isEmpty()) {
        throw wrong("prompts", "a list of texts that are not empty");
      }
      prompts.add(text);
    }
    if (prompts.isEmpty()) {
      throw wrong("prompts", "a list of texts that are not empty");
    }
    return prompts;
  }

  private Map<String, Boolean> checks(Map<String, Boolean> base) {
    var checks = new LinkedHashMap<>(base);
    object("checks")
        .forEach(
            (name, value) -> {
              if (!(value instanceof Boolean on)) {
                throw wrong("checks." + name, value, "true or false");
              }
              List<String> named = base.isEmpty() ? List.of(name) : matching(name, base.keySet());
              if (named.isEmpty()) {
                throw unknown("check", name, base.keySet());
              }
              named.forEach(check -> checks.put(check, on));
            });
    return checks;
  }

  /** Of all names that one, or those of a group such as {@code tokenizer}. */
  private static List<String> matching(String name, Collection<String> all) {
    return all.stream().filter(id -> id.equals(name) || id.startsWith(name + ".")).toList();
  }

  private Map<String, Double> limits(Map<String, Double> base) {
    var limits = new LinkedHashMap<>(base);
    Map<String, Object> given = object("limits");
    if (!base.isEmpty()) {
      refuseUnknown("limit", given, base.keySet());
    }
    given.forEach(
        (name, value) -> {
          if (!(value instanceof Number n) || !(n.doubleValue() >= 0)) {
            throw wrong("limits." + name, value, "a number, 0 or more");
          }
          limits.put(name, n.doubleValue());
        });
    return limits;
  }

  private Map<String, Object> thresholds(Map<String, Object> base) {
    var thresholds = new LinkedHashMap<>(base);
    thresholds.putAll(object("thresholds"));
    try {
      Thresholds.from(thresholds);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(source + ": " + e.getMessage(), e);
    }
    return thresholds;
  }

  private Severity severity(Severity otherwise) {
    String name = text("fail_on", otherwise.id());
    return Arrays.stream(Severity.values())
        .filter(s -> s.id().equals(name))
        .findFirst()
        .orElseThrow(() -> wrong("fail_on", "info, warning or critical"));
  }

  private String text(String key, String otherwise) {
    Object value = values.get(key);
    if (value == null) {
      return otherwise;
    }
    if (value instanceof String text && !text.isBlank()) {
      return text;
    }
    throw wrong(key, "a text");
  }

  private long whole(String key, long otherwise, long least, long most) {
    Object value = values.get(key);
    if (value == null) {
      return otherwise;
    }
    if (value instanceof Integer || value instanceof Long) {
      long n = ((Number) value).longValue();
      if (n >= least && n <= most) {
        return n;
      }
    }
    throw wrong(key, "a whole number from %d to %d".formatted(least, most));
  }

  private double number(String key, double otherwise, Predicate<Double> sound) {
    Object value = values.get(key);
    if (value == null) {
      return otherwise;
    }
    if (value instanceof Number n
        && Double.isFinite(n.doubleValue())
        && sound.test(n.doubleValue())) {
      return n.doubleValue();
    }
    throw wrong(key, "a number above 0");
  }

  private Map<String, Object> object(String key) {
    Object value = values.get(key);
    if (value == null) {
      return Map.of();
    }
    if (!(value instanceof Map<?, ?> map)) {
      throw wrong(key, "an object of names and values");
    }
    var object = new LinkedHashMap<String, Object>();
    map.forEach((name, x) -> object.put(String.valueOf(name), x));
    return object;
  }

  private void refuseUnknown(String what, Map<String, Object> given, Collection<String> known) {
    for (String name : given.keySet()) {
      if (!known.contains(name)) {
        throw unknown(what, name, known);
      }
    }
  }

  private IllegalArgumentException unknown(String what, String name, Collection<String> known) {
    return new IllegalArgumentException(
        "%s: unknown %s '%s'; known: %s".formatted(source, what, name, String.join(", ", known)));
  }

  private IllegalArgumentException wrong(String key, String wanted) {
    return wrong(key, values.get(key), wanted);
  }

  private IllegalArgumentException wrong(String key, @Nullable Object value, String wanted) {
    return new IllegalArgumentException(
        "%s: %s must be %s, not '%s'".formatted(source, key, wanted, value));
  }
}
