package org.modeltracer.gate.output;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.session.RunDescription;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.SummaryField;
import org.modeltracer.trace.TracerConfig;
import org.modeltracer.weights.Hashes;
import tools.jackson.core.type.TypeReference;

/** Makes {@code summary.json} of what the gate says, whether or not the model ever ran. */
final class GateSummary {
  private GateSummary() {}

  static Map<String, @Nullable Object> of(GateReport report) {
    Map<String, @Nullable Object> trace = report.result().trace();
    Map<String, @Nullable Object> summary = new LinkedHashMap<>(trace == null ? untraced() : trace);
    summary.put("model", model(report, object(summary.get("model"))));
    Map<String, @Nullable Object> timing = object(summary.get("timing"));
    timing.put("checks", new TreeMap<>(report.seconds()));
    summary.put("timing", timing);
    summary.put("verdict", report.json());
    return summary;
  }

  private static Map<String, @Nullable Object> untraced() {
    try (var tracer = new ModelTracer(TracerConfig.disabled())) {
      tracer.describe(SummaryField.TOOL, RunDescription.tool());
      return tracer.summaryFields();
    }
  }

  private static Map<String, @Nullable Object> model(
      GateReport report, Map<String, @Nullable Object> known) {
    Map<String, @Nullable Object> model = new LinkedHashMap<>(report.head().model());
    model.put("sha256", null);
    model.putAll(known);
    Map<String, String> files = report.hashes().files();
    if (files != null) {
      model.put("sha256", Hashes.model(files));
      if (files.size() > 1) {
        model.put("shards", files);
      }
    }
    model.put("tensors", report.hashes().tensors());
    return model;
  }

  /** A JSON object as a map that may be changed; an empty one for null. */
  private static Map<String, @Nullable Object> object(@Nullable Object json) {
    return switch (json) {
      case null -> new LinkedHashMap<>();
      default -> Json.mapper().convertValue(json, new TypeReference<>() {});
    };
  }
}
