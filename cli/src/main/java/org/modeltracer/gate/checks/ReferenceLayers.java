package org.modeltracer.gate.checks;

import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.quant.LayerError;
import org.modeltracer.quant.QuantizationReport;
import org.modeltracer.quant.TensorError;

/**
 * Whether each layer keeps to an error budget: what it adds of its own, given the reference's
 * input.
 *
 * <p>What it has inherited from the layers before it is a signal, as is the number of nodes whose
 * cosine is at a level of warning or worse.
 */
final class ReferenceLayers extends Check {
  ReferenceLayers() {
    super(
        "reference.layers",
        Needs.REFERENCE,
        "each layer's own error against the reference: relative error and cosine");
  }

  @Override
  CheckResult run(Subject subject) {
    QuantizationReport report = subject.compared();
    if (report.layers().stream().allMatch(layer -> layer.own() == null)) {
      throw new NotApplicable("no layer's output was found in both graphs");
    }
    var check = new CheckResultBuilder(this, subject);
    ReferenceCriteria.layers(report, subject.policy()).forEach(check::fails);
    double worst = 0;
    double worstCosine = 1;
    for (LayerError layer : report.layers()) {
      TensorError error = layer.own();
      if (error != null) {
        worst = Math.max(worst, error.relativeL2());
        worstCosine = Math.min(worstCosine, error.cosine());
      }
    }
    check
        .signal("layers", report.layers().size())
        .signal("local", report.localReason() == null)
        .signal("relative_l2", worst)
        .signal("cosine", worstCosine)
        .signal("nodes_at_warning", report.count(QuantizationLevel.WARNING))
        .signal("nodes_at_critical", report.count(QuantizationLevel.CRITICAL));
    return check.result(
        "%d layers: relative error %.3g at most, cosine %.5f at least"
            .formatted(report.layers().size(), worst, worstCosine));
  }
}
