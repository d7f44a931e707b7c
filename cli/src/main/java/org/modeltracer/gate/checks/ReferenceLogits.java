package org.modeltracer.gate.checks;

import java.nio.file.Path;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.language.LogitDivergence;
import org.modeltracer.llama.LlamaException;

/** Whether the file predicts what its reference does, as llama-perplexity measures it. */
final class ReferenceLogits extends Check {
  ReferenceLogits() {
    super(
        "reference.logits",
        Needs.PREDICTIONS,
        "KL divergence, same top token and perplexity against the reference");
  }

  @Override
  CheckResult run(Subject subject) {
    var check = new CheckResultBuilder(this, subject);
    Path klBase = subject.request().klBase();
    if (klBase != null) {
      return stored(check, subject, klBase);
    }
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
    return result(check, logits);
  }

  private static CheckResult stored(CheckResultBuilder check, Subject subject, Path klBase) {
    try {
      LogitDivergence logits = StoredReference.compare(subject, klBase);
      ReferenceCriteria.logits(logits, null, subject.policy()).forEach(check::fails);
      return result(check, logits);
    } catch (IllegalArgumentException e) {
      check.fails(Evidence.of("kl_base", Severity.CRITICAL, String.valueOf(e.getMessage())));
      return check.result("");
    }
  }

  private static CheckResult result(CheckResultBuilder check, LogitDivergence logits) {
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
