package org.modeltracer.gate.output;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.GateResult;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.session.RunDescription;
import org.modeltracer.trace.Json;
import org.modeltracer.weights.Hashes;

/**
 * SARIF 2.1.0: a rule for each class of finding, the tensor, the operation and the layer as logical
 * locations, the byte of the file as the physical one.
 */
public final class Sarif {
  private static final String SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json";

  /** Rules by id, in order of first use. */
  private final Map<String, Integer> rules = new LinkedHashMap<>();

  private final List<Map<String, Object>> results = new ArrayList<>();
  private final List<Map<String, Object>> notifications = new ArrayList<>();

  private Sarif() {}

  /** The report on files, as one run. */
  public static String of(List<GateReport> reports) {
    var sarif = new Sarif();
    for (GateReport report : reports) {
      report.judgement().results().forEach(result -> sarif.add(report.judgement(), result));
    }
    boolean ended = reports.stream().noneMatch(r -> r.judgement().verdict() == Verdict.ERROR);
    return Json.pretty(sarif.log(ended));
  }

  private Map<String, Object> log(boolean ended) {
    var driver = new LinkedHashMap<String, Object>();
    driver.put("name", "modeltracer");
    driver.put("semanticVersion", version());
    driver.put(
        "rules",
        rules.keySet().stream()
            .map(
                id ->
                    Map.of(
                        "id", id, "shortDescription", Map.of("text", id.replaceAll("[_.]", " "))))
            .toList());
    var invocation = new LinkedHashMap<String, Object>();
    invocation.put("executionSuccessful", ended);
    invocation.put("toolExecutionNotifications", notifications);
    var run = new LinkedHashMap<String, Object>();
    run.put("tool", Map.of("driver", driver));
    run.put("invocations", List.of(invocation));
    run.put("columnKind", "utf16CodeUnits");
    run.put("results", results);
    var log = new LinkedHashMap<String, Object>();
    log.put("$schema", SCHEMA);
    log.put("version", "2.1.0");
    log.put("runs", List.of(run));
    return log;
  }

  private static String version() {
    String version = RunDescription.version();
    return version.matches("\\d+\\.\\d+\\.\\d+.*") ? version : "0.0.0-" + version;
  }

  private void add(GateResult judgement, CheckResult result) {
    if (result.verdict() == Verdict.SKIPPED || result.verdict() == Verdict.ERROR) {
      notifications.add(notification(judgement.file(), result));
    }
    for (Evidence evidence : result.evidence()) {
      results.add(result(judgement.file(), result, evidence));
    }
    if (result.verdict() == Verdict.FAIL && result.evidence().isEmpty()) {
      results.add(
          result(
              judgement.file(),
              result,
              Evidence.of(result.id(), Severity.CRITICAL, result.message())));
    }
  }

  private static Map<String, Object> notification(Path file, CheckResult result) {
    var notification = new LinkedHashMap<String, Object>();
    notification.put("descriptor", Map.of("id", result.id()));
    notification.put("level", result.verdict() == Verdict.ERROR ? "error" : "note");
    notification.put(
        "message", Map.of("text", result.verdict().id() + ": " + orNone(result.message())));
    notification.put("locations", List.of(Map.of("physicalLocation", artifact(file))));
    return notification;
  }

  private Map<String, Object> result(Path file, CheckResult check, Evidence evidence) {
    int index = rules.computeIfAbsent(evidence.rule(), unused -> rules.size());
    var result = new LinkedHashMap<String, Object>();
    result.put("ruleId", evidence.rule());
    result.put("ruleIndex", index);
    result.put("level", level(check, evidence));
    result.put("message", Map.of("text", orNone(evidence.message())));
    result.put("locations", List.of(location(file, evidence)));
    result.put("partialFingerprints", Map.of("modeltracer/v1", fingerprint(file, check, evidence)));
    result.put("properties", Map.of("check", check.id(), "verdict", check.verdict().id()));
    return result;
  }

  /** What does not fail its check is a note. */
  private static String level(CheckResult check, Evidence evidence) {
    if (check.verdict() == Verdict.PASS) {
      return "note";
    }
    return switch (evidence.severity()) {
      case CRITICAL -> "error";
      case WARNING -> "warning";
      case INFO -> "note";
    };
  }

  private static Map<String, Object> location(Path file, Evidence evidence) {
    var location = new LinkedHashMap<String, Object>();
    var physical = new LinkedHashMap<String, Object>(artifact(file));
    if (evidence.offset() != null) {
      physical.put("region", Map.of("byteOffset", evidence.offset()));
    }
    location.put("physicalLocation", physical);
    var logical = new ArrayList<Map<String, Object>>();
    logical(logical, "tensor", evidence.tensor());
    logical(logical, "op", evidence.op());
    logical(logical, "layer", evidence.layer() == null ? null : String.valueOf(evidence.layer()));
    if (!logical.isEmpty()) {
      location.put("logicalLocations", logical);
    }
    return location;
  }

  private static void logical(
      List<Map<String, Object>> locations, String kind, @Nullable String name) {
    if (name != null) {
      locations.add(Map.of("kind", kind, "name", name, "fullyQualifiedName", kind + "/" + name));
    }
  }

  private static Map<String, Object> artifact(Path file) {
    return Map.of("artifactLocation", Map.of("uri", uri(file)));
  }

  /** A relative path stays relative, which is how code hosts find the file. */
  static String uri(Path file) {
    if (file.isAbsolute()) {
      return file.toUri().toString();
    }
    var uri = new StringBuilder();
    for (Path part : file.normalize()) {
      String name = part.toString();
      uri.append(uri.isEmpty() ? "" : "/");
      for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
        char c = (char) (b & 0xff);
        boolean plain = c < 0x80 && (Character.isLetterOrDigit(c) || "-._~".indexOf(c) >= 0);
        uri.append(plain ? String.valueOf(c) : "%%%02X".formatted((int) c));
      }
    }
    return uri.toString();
  }

  /** The same finding in another version of the same file has the same fingerprint. */
  private static String fingerprint(Path file, CheckResult check, Evidence evidence) {
    String what =
        String.join(
            "\n",
            String.valueOf(file.getFileName()),
            check.id(),
            evidence.rule(),
            String.valueOf(evidence.tensor()),
            String.valueOf(evidence.op()),
            String.valueOf(evidence.layer()));
    return HexFormat.of()
        .formatHex(Hashes.sha256().digest(what.getBytes(StandardCharsets.UTF_8)), 0, 16);
  }

  private static String orNone(String text) {
    return text.isEmpty() ? "-" : text;
  }
}
