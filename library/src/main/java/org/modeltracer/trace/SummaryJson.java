package org.modeltracer.trace;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Puts {@code summary.json} together; its schema lies beside this class as a resource. */
final class SummaryJson {
  private final Map<SummaryField, Object> described = new EnumMap<>(SummaryField.class);
  private final Map<SummarySection, Supplier<?>> analyses = new EnumMap<>(SummarySection.class);

  /** What the tracer saw, and what an analysis adds. */
  private record Section(
      @JsonUnwrapped @Nullable Object seen,
      @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Object analysis) {}

  private record Config(TracerConfig trace, @Nullable Object session) {}

  void describe(SummaryField field, Object json) {
    described.put(field, json);
  }

  void add(SummarySection section, Supplier<?> analysis) {
    analyses.put(section, analysis);
  }

  Map<String, @Nullable Object> fields(
      TracerConfig config, ModelTracerSummary summary, Recording run) {
    boolean logits = config.logits() || run.logits.traces() > 0;
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
    all.put("tool", described.get(SummaryField.TOOL));
    all.put("runtime", described.get(SummaryField.RUNTIME));
    all.put("model", described.get(SummaryField.MODEL));
    all.put("config", new Config(config, described.get(SummaryField.CONFIG)));
    all.put("prompt", described.get(SummaryField.PROMPT));
    all.put("timing", described.get(SummaryField.TIMING));
    all.put(
        "activations",
        section(SummarySection.ACTIVATIONS, config.activations() ? run.activationSummary() : null));
    all.put(
        "attention",
        section(SummarySection.ATTENTION, config.attention() ? run.attention.summary() : null));
    Supplier<?> indexer = analyses.get(SummarySection.INDEXER);
    all.put("indexer", indexer == null ? null : indexer.get());
    all.put("logits", section(SummarySection.LOGITS, logits ? run.logits.summary() : null));
    all.put(
        "kv_cache", section(SummarySection.KV_CACHE, config.kvCache() ? run.kv.summary() : null));
    all.put(
        "quantization",
        section(SummarySection.QUANTIZATION, config.quantError() ? run.quant.summary() : null));
    all.put("anomalies", run.anomalies.summary());
    all.put("verdict", described.get(SummaryField.VERDICT));
    return all;
  }

  private @Nullable Section section(SummarySection section, @Nullable Object seen) {
    Supplier<?> analysis = analyses.get(section);
    return seen == null && analysis == null
        ? null
        : new Section(seen, analysis == null ? null : analysis.get());
  }
}
