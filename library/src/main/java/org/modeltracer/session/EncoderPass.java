package org.modeltracer.session;

import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.cache.CacheLayout;
import org.modeltracer.graph.ModelSurvey;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.probe.ForwardProbe;
import org.modeltracer.probe.ProbeCost;
import org.modeltracer.trace.ModelTracer;

/**
 * The encoder's reading of a prompt, before a decoder writes: a traced pass of its own.
 *
 * <p>llama.cpp numbers the layers of both halves from 0. Here the encoder's follow the decoder's,
 * so that a decoder's layers keep the numbers that its caches and logit lens go by.
 */
final class EncoderPass {
  private final LlamaContext context;
  private final ModelTracer tracer;
  private final TracedCache cache;
  private final PassRunner passes;
  private final ForwardProbe probe;

  private EncoderPass(
      LlamaContext context,
      ModelSurvey encoder,
      ModelTracer tracer,
      Listeners listeners,
      SessionOptions options,
      TracedCache cache,
      PassRunner passes) {
    this.context = context;
    this.tracer = tracer;
    this.cache = cache;
    this.passes = passes;
    var none = new CacheLayout(encoder, context.contextTokens(), 1);
    probe =
        new ForwardProbe(
            context.model().runtime(),
            encoder,
            none,
            tracer,
            new Listeners(Set.of()),
            listeners::sites,
            options.copyBuffers());
  }

  /** The encoder that a survey found before the decoder, or null. */
  static @Nullable EncoderPass of(
      LlamaContext context,
      ModelSurvey survey,
      ModelTracer tracer,
      Listeners listeners,
      SessionOptions options,
      TracedCache cache,
      PassRunner passes) {
    ModelSurvey encoder = survey.encoder();
    return encoder == null
        ? null
        : new EncoderPass(context, encoder, tracer, listeners, options, cache, passes);
  }

  /** Reads a prompt, which the decoder attends to from here on. */
  void run(int[] prompt) {
    Batch batch = context.batch().clear();
    for (int i = 0; i < prompt.length; i++) {
      batch.add(prompt[i], i, 0, true);
    }
    int forward = tracer.beginForward(0, prompt.length);
    probe.begin(batch, forward);
    context.observe(tracer.isEnabled() ? probe : null);
    Optional<Anomaly> worst;
    try {
      context.encode(batch);
    } catch (LlamaException e) {
      if (e.kind() == LlamaException.Kind.CANCELLED) {
        context.resume();
      }
      throw e;
    } finally {
      context.observe(null);
      worst = tracer.endForward();
    }
    worst.ifPresent(a -> passes.examine(a, PassReplay.ofEncoder(context, probe, cache, forward)));
  }

  /** What observing both halves has cost. */
  ProbeCost cost(ProbeCost decoder) {
    return decoder.with(probe);
  }

  void close() {
    probe.close();
  }
}
