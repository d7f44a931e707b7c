package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.FileDifferences;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.quant.QuantizationReport;
import org.modeltracer.quant.Setup;
import org.modeltracer.report.Pictures;
import org.modeltracer.session.RunDescription;
import org.modeltracer.trace.AnomalyLog;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.SummaryField;
import org.modeltracer.trace.TracerConfig;

/**
 * What was compared with what, and the files that say so.
 *
 * @param model the model's file
 * @param reference the reference's file
 * @param differences in what the files differ before anything is computed, worth a word or worse
 * @param versions llama.cpp releases of the reference and of the model
 * @param one how the reference was run
 * @param two how the model was run
 */
record DiffRun(
    GgufFile model,
    GgufFile reference,
    List<Evidence> differences,
    List<String> versions,
    Setup one,
    Setup two) {

  /** What two models that are compared are, and in what their files differ. */
  static DiffRun of(
      GgufFile model, GgufFile reference, List<String> versions, Setup one, Setup two) {
    List<Evidence> differences =
        model.path().equals(reference.path())
            ? List.of()
            : FileDifferences.of(model, reference).stream()
                .filter(difference -> difference.severity() != Severity.INFO)
                .toList();
    return new DiffRun(model, reference, differences, versions, one, two);
  }

  /** Whether one model was compared with itself. */
  boolean sameModel() {
    return model.path().equals(reference.path());
  }

  Map<String, @Nullable Object> toJson(QuantizationReport report) {
    Map<String, @Nullable Object> all = JsonHead.of(model).fields();
    all.put("model", side(model, versions.getLast(), two));
    all.put("reference", side(reference, versions.getFirst(), one));
    all.put("file_differences", differences.stream().map(Evidence::message).toList());
    all.putAll(report.toJson());
    return all;
  }

  private static Map<String, @Nullable Object> side(GgufFile file, String version, Setup setup) {
    ContextOptions context = setup.context();
    Map<String, @Nullable Object> side = JsonHead.model(file);
    side.put("llama_cpp", version);
    side.put("flash_attention", context.flashAttention().name().toLowerCase(Locale.ROOT));
    side.put("cache_type_k", context.cache().keys().id());
    side.put("cache_type_v", context.cache().values().id());
    side.put("threads", context.threads());
    return side;
  }

  /** {@code pictures.json}: the text, with what both models gave each token. */
  String pictures(Vocabulary vocabulary, int[] tokens, QuantizationReport report) {
    Record drawn = Pictures.of(vocabulary, tokens, report.predicted());
    return JsonHead.of(model).line(drawn);
  }

  /**
   * Writes {@code diff.json}, {@code pictures.json}, {@code summary.json} and {@code
   * anomalies.jsonl}.
   */
  void write(Path folder, QuantizationReport report, String document, String pictures) {
    OutputFile.write(folder.resolve("diff.json"), document);
    OutputFile.write(folder.resolve("pictures.json"), pictures);
    try (var log = new AnomalyLog(folder.resolve("anomalies.jsonl"));
        var tracer = new ModelTracer(TracerConfig.builder().quantError(true).build())) {
      tracer.addListener(log);
      report.recordTo(tracer);
      tracer.describe(SummaryField.TOOL, RunDescription.tool());
      tracer.describe(SummaryField.RUNTIME, Map.of("version", versions.getLast()));
      tracer.describe(SummaryField.MODEL, side(model, versions.getLast(), two));
      tracer.describe(
          SummaryField.CONFIG, Map.of("reference", side(reference, versions.getFirst(), one)));
      tracer.describe(SummaryField.PROMPT, Map.of("tokens", report.tokens()));
      OutputFile.write(folder.resolve("summary.json"), tracer.summaryToJson());
    }
  }
}
