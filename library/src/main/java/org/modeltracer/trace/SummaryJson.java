package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Puts {@code summary.json} together; its schema lies beside this class as a resource. */
final class SummaryJson {
  /** Objects that the caller describes. */
  static final Set<String> DESCRIBED =
      Set.of("tool", "runtime", "model", "config", "prompt", "timing", "verdict");

  /** Objects that an analysis may add to. */
  static final Set<String> ANALYSED =
      Set.of("activations", "attention", "logits", "kv_cache", "quantization");

  private final Map<String, Object> described = new LinkedHashMap<>();
  private final List<SummarySection> sections = new ArrayList<>();

  void describe(String section, Object json) {
    described.put(known(section, DESCRIBED), json);
  }

  void add(SummarySection section) {
    known(section.name(), ANALYSED);
    sections.removeIf(other -> other.name().equals(section.name()));
    sections.add(section);
  }

  private static String known(String name, Set<String> names) {
    if (!names.contains(name)) {
      throw new IllegalArgumentException(
          "the summary has no such object: '"
              + name
              + "'; use one of "
              + names.stream().sorted().toList());
    }
    return name;
  }

  Map<String, @Nullable Object> toJson(
      TracerConfig config, ModelTracerSummary summary, Recording run) {
    Map<String, @Nullable Object> all = new LinkedHashMap<>();
    all.put("schema_version", summary.schemaVersion());
    all.put("total_forwards", summary.totalForwards());
    all.put("anomalies_detected", summary.anomaliesDetected());
    all.put("attention_traces", summary.attentionTraces());
    all.put("logit_traces", summary.logitTraces());
    all.put("kv_steps", summary.kvSteps());
    all.put("total_evictions", summary.totalEvictions());
    all.put("avg_hit_rate", summary.avgHitRate());
    all.put("quant_warnings", summary.quantWarnings());
    all.put("quant_criticals", summary.quantCriticals());
    all.put("tool", described.get("tool"));
    all.put("runtime", described.get("runtime"));
    all.put("model", described.get("model"));
    all.put("config", config(config));
    all.put("prompt", described.get("prompt"));
    all.put("timing", described.get("timing"));
    all.put("activations", section("activations", config.activations(), () -> activations(run)));
    all.put("attention", section("attention", config.attention(), run.attention::toJson));
    all.put(
        "logits",
        section("logits", config.logits() || run.logits.traces() > 0, run.logits::toJson));
    all.put("kv_cache", section("kv_cache", config.kvCache(), run.kv::toJson));
    all.put("quantization", section("quantization", config.quantError(), run.quant::toJson));
    all.put("anomalies", run.anomalies.toJson());
    all.put("verdict", described.get("verdict"));
    return all;
  }

  private Map<String, @Nullable Object> config(TracerConfig config) {
    Map<String, @Nullable Object> object = new LinkedHashMap<>();
    object.put("trace", config);
    object.put("session", described.get("config"));
    return object;
  }

  private static Map<String, @Nullable Object> activations(Recording run) {
    Map<String, @Nullable Object> object =
        new LayerTraces(run.activations, run.residual, run.anomalies).toJson();
    object.put("experts", run.experts.toJson());
    return object;
  }

  private @Nullable Map<String, @Nullable Object> section(
      String name, boolean traced, Supplier<Map<String, @Nullable Object>> own) {
    Map<String, @Nullable Object> object = traced ? own.get() : new LinkedHashMap<>();
    for (SummarySection section : sections) {
      if (section.name().equals(name)) {
        object.put("analysis", section.toJson());
      }
    }
    return object.isEmpty() ? null : object;
  }
}
