package org.modeltracer.heads;

import java.nio.file.Path;
import java.util.function.BiConsumer;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Runs a model under an attention analysis. */
final class Analysed {
  private Analysed() {}

  /** As exact as llama.cpp gets: caches in F32, softmax rows read rather than computed again. */
  static ContextOptions exact() {
    return ContextOptions.defaults()
        .withContextTokens(256)
        .withFlashAttention(FlashAttention.OFF)
        .withCacheTypes(CacheType.F32, CacheType.F32);
  }

  /** The analysis of whatever {@code work} has the session do. */
  static AttentionTrace run(
      LlamaRuntime runtime,
      Path file,
      ContextOptions context,
      BiConsumer<AttentionTrace, TracedSession> work) {
    var options = SessionOptions.defaults().withContext(context);
    var config = TracerConfig.builder().activations(true).attention(true).build();
    try (var model = runtime.open(file);
        var tracer = new ModelTracer(config);
        var session = TracedSession.open(model, options, tracer)) {
      var trace =
          new AttentionTrace(
              model, GgufFile.read(file), AttentionOptions.defaults(), Double.POSITIVE_INFINITY);
      trace.attach(tracer, session);
      work.accept(trace, session);
      trace.analysis();
      return trace;
    }
  }
}
