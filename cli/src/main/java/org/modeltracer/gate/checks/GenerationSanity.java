package org.modeltracer.gate.checks;

import java.util.List;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.session.Generation;
import org.modeltracer.trace.LogitSummary;

/**
 * Whether what the model generates can be text: sound logits that are neither constant nor flat, no
 * running in circles, bytes that are UTF-8.
 *
 * <p>Logits that are NaN or all the same fail at once; the rest has a limit each, as a share of
 * positions or of tokens.
 */
final class GenerationSanity extends Check {
  GenerationSanity() {
    super(
        "generation.sanity",
        Needs.MODEL,
        "logits are finite and not flat, generated text neither loops nor breaks UTF-8");
  }

  @Override
  List<AnomalyKind> anomalies() {
    return List.of(AnomalyKind.LOGITS, AnomalyKind.REPETITION, AnomalyKind.TOKENIZER);
  }

  @Override
  CheckResult run(Subject subject) {
    TracedPrompts traced = subject.traced();
    LogitSummary.Entropy entropy = traced.logits().entropy();
    List<Anomaly> anomalies = traced.of(anomalies());
    long positions = traced.logits().positions();
    if (traced.texts().isEmpty() && positions == 0 && anomalies.isEmpty()) {
      throw new NotApplicable("this model has no output matrix: it does not generate");
    }
    int tokens = traced.texts().stream().mapToInt((Generation t) -> t.tokens().size()).sum();
    var check = new CheckResultBuilder(this, subject);
    check
        .signal("texts", traced.texts().size())
        .signal("tokens", tokens)
        .signal("positions", positions)
        .signal("mean_entropy", entropy == null ? null : entropy.mean())
        .signal("least_entropy", entropy == null ? null : entropy.min());
    anomalies.stream()
        .filter(a -> a.severity() == Severity.CRITICAL)
        .forEach(a -> check.fails(Evidence.of(a)));
    judge(check, subject, "flat", AnomalyKind.LOGITS, positions, anomalies);
    judge(check, subject, "loops", AnomalyKind.REPETITION, traced.texts().size(), anomalies);
    judge(check, subject, "broken_utf8", AnomalyKind.TOKENIZER, tokens, anomalies);
    return check.result(
        "%d tokens generated for %d prompts".formatted(tokens, traced.texts().size()));
  }

  /** Fails when a kind of anomaly occurs more often than its share of what could show it. */
  private static void judge(
      CheckResultBuilder check,
      Subject subject,
      String name,
      AnomalyKind kind,
      long chances,
      List<Anomaly> anomalies) {
    List<Anomaly> found =
        anomalies.stream()
            .filter(a -> a.kind() == kind && a.severity() != Severity.CRITICAL)
            .toList();
    check.share(
        name,
        found.stream().mapToLong(Anomaly::times).sum(),
        chances,
        subject.policy().limit("generation.sanity." + name),
        found.stream().map(Evidence::of).toList());
  }
}
