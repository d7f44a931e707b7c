package org.modeltracer.lens;

import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.testing.Listening;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/**
 * What a lens read of a prompt at every position.
 *
 * @param readings one a position
 * @param states the residual stream that was read, by position {@code [layer][width]}
 * @param steps what was done to a state
 */
record LensRun(
    List<PositionReading> readings, Map<Integer, List<float[]>> states, List<String> steps) {

  static ContextOptions exact() {
    return ContextOptions.defaults()
        .withContextTokens(256)
        .withBatch(64, 13)
        .withFlashAttention(FlashAttention.OFF)
        .withCacheTypes(CacheType.F32, CacheType.F32);
  }

  static LensRun of(LlamaRuntime runtime, Path file, int[] ids, LensOptions options, int generate) {
    return of(runtime, file, ModelOptions.defaults(), ids, options, generate);
  }

  static LensRun of(
      LlamaRuntime runtime,
      Path file,
      ModelOptions where,
      int[] ids,
      LensOptions options,
      int generate) {
    try (LlamaModel model = runtime.open(file, where);
        var tracer = new ModelTracer(TracerConfig.builder().logits(true).build());
        TracedSession session =
            TracedSession.open(model, SessionOptions.defaults().withContext(exact()), tracer)) {
      var readings = new ArrayList<PositionReading>();
      var states = new TreeMap<Integer, List<float[]>>();
      try (LensTrace trace = LensTrace.attach(session, options, readings::add)) {
        session.listen(
            Listening.states(
                (layer, sequence, position, values, offset, width) -> {
                  states
                      .computeIfAbsent(position, p -> new ArrayList<>())
                      .add(
                          values
                              .asSlice(offset, 4L * width)
                              .toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
                }));
        trace.begin(ids);
        session.generate(ids, options.everyPosition(), generate, token -> true);
        return new LensRun(readings, states, trace.lens().steps());
      }
    }
  }
}
