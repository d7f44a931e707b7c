package org.modeltracer.gate.checks;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.diagnose.Diagnosis;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.SamplerOptions;
import org.modeltracer.model.Site;
import org.modeltracer.session.Generation;
import org.modeltracer.session.RunDescription;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.IndexerTrace;
import org.modeltracer.trace.AttentionSummary;
import org.modeltracer.trace.LogitSummary;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.ObservedPlace;
import org.modeltracer.trace.SummaryField;
import org.modeltracer.trace.TracerConfig;
import org.modeltracer.weights.Hashes;

/**
 * The one traced run of the gate: every prompt read with the logits of every position, and
 * continued, with everything observed and anomalies explained.
 *
 * <p>Tokens are sampled, with a seed: greedy text runs in circles in many a healthy model.
 *
 * @param prompts what the model was given
 * @param texts what it made of it; empty when it cannot generate
 * @param anomalies what was wrong, explained
 * @param replays passes run again in search of a root cause
 * @param dead heads whose output was zero throughout
 * @param passes number of forward passes
 * @param places every place that was watched, with what was seen there
 * @param attention what was seen of attention
 * @param logits scores of the next token
 * @param indexer what its indexers select; null where no layer selects keys
 * @param summary the fields of {@code summary.json}
 */
record TracedPrompts(
    Prompts prompts,
    List<Generation> texts,
    List<Anomaly> anomalies,
    int replays,
    List<LiveHeads.Dead> dead,
    long passes,
    List<ObservedPlace> places,
    AttentionSummary attention,
    LogitSummary logits,
    @Nullable IndexerTrace indexer,
    Map<String, @Nullable Object> summary) {

  private static final SamplerOptions SAMPLER = new SamplerOptions(0.8f, 40, 0.95f, 0);

  /** Runs the model; {@code onTrace} gets the summary whenever it has grown by a prompt. */
  static TracedPrompts run(
      Subject subject, LlamaModel model, Consumer<Map<String, @Nullable Object>> onTrace) {
    Policy policy = subject.policy();
    TracerConfig config =
        TracerConfig.builder()
            .activations(true)
            .attention(true)
            .logits(true)
            .kvCache(true)
            .seed(policy.workload().seed())
            .thresholds(policy.thresholds())
            .build();
    SamplerOptions sampler =
        new SamplerOptions(
            SAMPLER.temperature(), SAMPLER.topK(), SAMPLER.topP(), (int) policy.workload().seed());
    SessionOptions options =
        SessionOptions.defaults().withContext(Prompts.context(subject)).withSampler(sampler);
    var outputs = new LiveHeads();
    var texts = new ArrayList<Generation>();
    try (var tracer = new ModelTracer(config);
        var session = TracedSession.open(model, options, tracer);
        var diagnosis = Diagnosis.attach(session, tracer, subject.file())) {
      IndexerTrace indexer = IndexerTrace.beside(session, tracer).orElse(null);
      var description = new RunDescription(subject.file(), session, options);
      Runnable tell = () -> onTrace.accept(summary(tracer, description, subject, texts));
      session.listen(outputs);
      tell.run();
      boolean generates = session.sites().stream().anyMatch(s -> s.place().site() == Site.LOGITS);
      for (int[] prompt : subject.prompts().tokens()) {
        if (indexer != null) {
          indexer.begin();
        }
        session.evaluate(prompt, generates);
        if (generates) {
          texts.add(session.generate(prompt, policy.workload().tokens(), token -> true));
        }
        tell.run();
      }
      if (indexer != null) {
        indexer.close();
      }
      return new TracedPrompts(
          subject.prompts(),
          List.copyOf(texts),
          tracer.anomalies(),
          diagnosis.replays(),
          outputs.dead(model.heads()),
          tracer.summary().totalForwards(),
          tracer.activations().places(),
          tracer.attention(),
          tracer.logits(),
          indexer,
          summary(tracer, description, subject, texts));
    }
  }

  private static Map<String, @Nullable Object> summary(
      ModelTracer tracer, RunDescription description, Subject subject, List<Generation> texts) {
    description.describe(tracer);
    Prompts prompts = subject.prompts();
    var prompt = new LinkedHashMap<String, Object>();
    prompt.put("prompts", prompts.tokens().size());
    prompt.put("tokens", prompts.size());
    prompt.put("sha256", HexFormat.of().formatHex(Hashes.sha256().digest(prompts.bytes())));
    prompt.put("random_tokens", prompts.random());
    prompt.put("cut_prompts", prompts.cut());
    prompt.put("generated_tokens", texts.stream().mapToInt(t -> t.tokens().size()).sum());
    tracer.describe(SummaryField.PROMPT, prompt);
    return tracer.summaryFields();
  }

  /** Anomalies of some kinds. */
  List<Anomaly> of(List<AnomalyKind> kinds) {
    return anomalies.stream().filter(a -> kinds.contains(a.kind())).toList();
  }
}
