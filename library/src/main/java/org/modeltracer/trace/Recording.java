package org.modeltracer.trace;

import org.modeltracer.anomaly.LogitRules;
import org.modeltracer.anomaly.RepetitionRule;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.anomaly.Utf8Rule;

/** Everything recorded since the start or the last {@link ModelTracer#clear()}. */
final class Recording {
  final Activations activations;
  final ResidualTraces residual;
  final ExpertCounts experts;
  final AttentionTraces attention;
  final LogitTraces logits;
  final KvTraces kv;
  final QuantTraces quant = new QuantTraces();
  final AnomalyBook anomalies = new AnomalyBook();
  final LogitRules logitRules;
  private final Thresholds limits;
  RepetitionRule repetition;
  Utf8Rule utf8;
  int forwards;

  Recording(TracerConfig config) {
    limits = config.thresholds();
    activations = new Activations(limits);
    residual = new ResidualTraces(limits);
    experts = new ExpertCounts(limits);
    attention = new AttentionTraces(config);
    logits = new LogitTraces(config);
    kv = new KvTraces(limits);
    logitRules = new LogitRules(limits);
    repetition = new RepetitionRule(limits);
    utf8 = new Utf8Rule(limits);
  }

  /** What was seen of tensors. */
  ActivationSummary activationSummary() {
    return new ActivationSummary(
        new LayerTraces(activations, residual, anomalies).layers(),
        activations.places(),
        experts.layers());
  }

  /** Forgets the tokens of an earlier generation. */
  void beginGeneration() {
    repetition = new RepetitionRule(limits);
    utf8 = new Utf8Rule(limits);
  }
}
