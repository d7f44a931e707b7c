package org.modeltracer.gate.output;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.Fault;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.session.RunDescription;
import org.modeltracer.trace.Json;
import org.modeltracer.weights.Hashes;

/**
 * SARIF 2.1.0: a rule for each kind of fault, the tensor, the operation and the layer as logical
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
      sarif.add(report.file(), report.result().results());
    }
    boolean ended = reports.stream().noneMatch(r -> r.result().verdict() == Verdict.ERROR);
    return Json.pretty(sarif.log(ended));
  }

  private Map<String, Object> log(boolean ended) {
    Map<String, Object> driver =
        object(
            "name",
            "modeltracer",
            "semanticVersion",
            version(),
            "rules",
            rules.keySet().stream().map(Sarif::rule).toList());
    Map<String, Object> invocation =
        object("executionSuccessful", ended, "toolExecutionNotifications", notifications);
    Map<String, Object> run =
        object(
            "tool",
            Map.of("driver", driver),
            "invocations",
            List.of(invocation),
            "columnKind",
            "utf16CodeUnits",
            "results",
            results);
    return object("$schema", SCHEMA, "version", "2.1.0", "runs", List.of(run));
  }

  private static Map<String, Object> rule(String id) {
    String help = RuleHelp.of(id);
    return object(
        "id",
        id,
        "shortDescription",
        Map.of("text", id.replaceAll("[_.]", " ")),
        "fullDescription",
        Map.of("text", help),
        "help",
        Map.of("text", help));
  }

  /** Names and values in that order: {@code Map.of} has another order in every run. */
  private static Map<String, Object> object(Object... namesAndValues) {
    var object = new LinkedHashMap<String, Object>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      object.put(String.valueOf(namesAndValues[i]), namesAndValues[i + 1]);
    }
    return object;
  }

  private static String version() {
    String version = RunDescription.version();
    return version.matches("\\d+\\.\\d+\\.\\d+.*") ? version : "0.0.0-" + version;
  }

  private void add(Path file, List<CheckResult> checks) {
    checks.stream()
        .filter(c -> c.verdict() == Verdict.SKIPPED || c.verdict() == Verdict.ERROR)
        .forEach(c -> notifications.add(notification(file, c)));
    Fault.of(checks).forEach(fault -> results.add(result(file, fault)));
    for (CheckResult check : checks) {
      if (check.verdict() == Verdict.FAIL && check.evidence().isEmpty()) {
        var failed = Evidence.of(check.id(), Severity.CRITICAL, check.message());
        results.add(result(file, new Fault(check, failed, List.of(), Set.of(check.id()))));
      }
    }
  }

  private static Map<String, Object> notification(Path file, CheckResult check) {
    return object(
        "descriptor",
        Map.of("id", check.id()),
        "level",
        check.verdict() == Verdict.ERROR ? "error" : "note",
        "message",
        Map.of("text", check.verdict().id() + ": " + orNone(check.message())),
        "locations",
        List.of(Map.of("physicalLocation", artifact(file))));
  }

  private Map<String, Object> result(Path file, Fault fault) {
    CheckResult check = fault.check();
    Evidence evidence = fault.evidence();
    return object(
        "ruleId",
        evidence.rule(),
        "ruleIndex",
        rules.computeIfAbsent(evidence.rule(), unused -> rules.size()),
        "level",
        level(check, evidence),
        "message",
        Map.of("text", orNone(fault.sentence())),
        "locations",
        List.of(location(file, evidence)),
        "partialFingerprints",
        Map.of("modeltracer/v1", fingerprint(file, check, evidence)),
        "properties",
        object(
            "check",
            check.id(),
            "checks",
            List.copyOf(fault.checks()),
            "consequences",
            fault.consequences().size(),
            "verdict",
            check.verdict().id()));
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
    var physical = new LinkedHashMap<String, Object>(artifact(evidence.in(file)));
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
      locations.add(object("kind", kind, "name", name, "fullyQualifiedName", kind + "/" + name));
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

  /** The same fault in another version of the same file has the same fingerprint. */
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
