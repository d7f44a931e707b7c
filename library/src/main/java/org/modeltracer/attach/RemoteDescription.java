package org.modeltracer.attach;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.Quantization;
import org.modeltracer.model.CutText;
import org.modeltracer.session.RunDescription;
import org.modeltracer.trace.SummaryField;

/** What a summary says about a context of another process. */
public final class RemoteDescription {
  private RemoteDescription() {}

  /**
   * Puts all of it into the summary of the context's tracer.
   *
   * @param file its model, null when that is not known
   * @param seconds since it was first heard of
   */
  public static void describe(
      Origin origin, RemoteContext context, @Nullable GgufFile file, double seconds) {
    context.tracer().describe(SummaryField.TOOL, RunDescription.tool());
    context.tracer().describe(SummaryField.RUNTIME, runtime(origin, context));
    if (file != null) {
      context.tracer().describe(SummaryField.MODEL, model(file, context));
    }
    context.tracer().describe(SummaryField.TIMING, Map.of("total_seconds", seconds));
  }

  private static Map<String, Object> runtime(Origin origin, RemoteContext context) {
    var runtime = new LinkedHashMap<String, Object>();
    runtime.put("origin", "process " + Integer.toUnsignedString(origin.pid()));
    runtime.put("library", CutText.of(origin.library()));
    runtime.put("flash_attention", context.usesFlashAttention());
    runtime.put("attention_rows", rows(context));
    runtime.put("records_dropped", context.dropped());
    if (context.assumed()) {
      runtime.put("earlier_tokens", "taken to lie in the cells of their positions");
    }
    String failure = context.failure();
    if (failure != null) {
      runtime.put("ended_early", CutText.of(failure));
    }
    return runtime;
  }

  private static String rows(RemoteContext context) {
    return context.usesFlashAttention()
        ? "recomputed from the fused operation, in the traced process"
        : "read from softmax";
  }

  private static Map<String, @Nullable Object> model(GgufFile file, RemoteContext context) {
    Map<String, @Nullable Object> info = new LinkedHashMap<>();
    info.put("file", String.valueOf(file.path().getFileName()));
    info.put("bytes", file.size());
    info.put("architecture", file.architecture().map(CutText::of).orElse(null));
    info.put("name", file.metadata().string("general.name").map(CutText::of).orElse(null));
    info.put("quantization", Quantization.of(file));
    info.put("layers", context.layers());
    return info;
  }
}
