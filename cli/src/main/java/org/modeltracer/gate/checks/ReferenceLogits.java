package org.modeltracer.gate.checks;

import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.quant.LogitDivergence;

/** Whether the file predicts what its reference does, as llama-perplexity measures it. */
final class ReferenceLogits extends Check {
  ReferenceLogits() {
    super(
        "reference.logits",
        Needs.REFERENCE,
        "KL divergence, same top token and perplexity against the reference");
  }

  @Override
  CheckResult run(Subject subject) {
    var check = new CheckResultBuilder(this, subject);
    LogitDivergence logits;
    try {
      logits = subject.compared().logits();
    } catch (LlamaException e) {
      if (e.kind() != LlamaException.Kind.ARGUMENT) {
        throw e;
      }
      check.fails(Evidence.of("other_model", Severity.CRITICAL, String.valueOf(e.getMessage())));
      return check.result("");
    }
    if (logits == null) {
      throw new NotApplicable("the model makes no predictions to compare");
    }
    double perplexity = logits.perplexity() / logits.perplexityReference() - 1;
    check
        .signal("positions", logits.positions())
        .signal("kl_mean", logits.klMean())
        .signal("kl_mean_error", logits.klMeanError())
        .signal("kl_median", logits.klMedian())
        .signal("kl_p99", logits.klP99())
        .signal("kl_max", logits.klMax())
        .signal("same_top1", logits.sameTop1())
        .signal("perplexity", logits.perplexity())
        .signal("perplexity_reference", logits.perplexityReference())
        .signal("perplexity_increase", perplexity);
    atMost(check, subject, "kl_mean", logits.klMean(), "mean KL divergence, in nats,");
    atMost(check, subject, "kl_p99", logits.klP99(), "99th percentile of KL divergence");
    atMost(check, subject, "flips", 1 - logits.sameTop1(), "share of other top tokens");
    atMost(check, subject, "perplexity_increase", perplexity, "relative increase of perplexity");
    return check.result(
        "%d positions: mean KL %.3g nats, same top token at %.1f %%"
            .formatted(logits.positions(), logits.klMean(), 100 * logits.sameTop1()));
  }

  /** Fails when a number is above its limit, or is no number. */
  private static void atMost(
      CheckResultBuilder check, Subject subject, String name, double value, String what) {
    double limit = subject.policy().limit("reference.logits." + name);
    if (!(value <= limit)) {
      String message = "%s is %.3g, the limit is %.3g".formatted(what, value, limit);
      check.fails(Evidence.of(AnomalyKind.QUANTIZATION.id(), Severity.CRITICAL, message));
    }
  }
}
