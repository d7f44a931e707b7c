package org.modeltracer.gate.checks;

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
    ReferenceCriteria.logits(subject.compared(), subject.policy()).forEach(check::fails);
    check.signal("not_finite", logits.notFinite());
    if (logits.positions() == 0) {
      return check.result("");
    }
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
        .signal("perplexity_increase", logits.perplexityIncrease());
    return check.result(
        "%d positions: mean KL %.3g nats, same top token at %.1f %%"
            .formatted(logits.positions(), logits.klMean(), 100 * logits.sameTop1()));
  }
}
