package org.modeltracer.diagnose;

import java.util.Optional;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.ModelOptions;
import org.modeltracer.session.Replay;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * Computes a pass, and all tokens before it, on the CPU alone: weights as they are in the file, one
 * thread, no flash attention, F32 cache.
 *
 * <p>The model is loaded a second time for it; the operating system shares the file's pages.
 */
record CpuOpinion(Replay replay) implements Explanation.SecondOpinion {

  @Override
  public Optional<Boolean> finite() {
    int[] tokens = replay.history();
    if (tokens.length == 0) {
      return Optional.empty();
    }
    LlamaModel model = replay.context().model();
    var plain = ModelOptions.defaults().withGpuLayers(0).withExtraBuffers(false);
    ContextOptions options =
        replay
            .context()
            .options()
            .withThreads(1)
            .withFlashAttention(FlashAttention.OFF)
            .withCacheTypes(CacheType.F32, CacheType.F32);
    try (var again = model.runtime().open(model.file(), plain);
        var tracer = ModelTracer.quiet(TracerConfig.lightweight());
        var session =
            TracedSession.open(again, SessionOptions.defaults().withContext(options), tracer)) {
      session.evaluate(tokens, false);
      return Optional.of(
          tracer.anomalies().stream()
              .noneMatch(
                  a ->
                      a.severity() == Severity.CRITICAL
                          && (a.kind() == AnomalyKind.NAN || a.kind() == AnomalyKind.INF)));
    } catch (LlamaException e) {
      return Optional.empty();
    }
  }
}
