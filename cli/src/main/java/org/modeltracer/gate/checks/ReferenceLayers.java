package org.modeltracer.gate.checks;

import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.quant.LayerError;
import org.modeltracer.quant.NodeError;
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
    if (report.layers().stream().allMatch(layer -> error(layer) == null)) {
      throw new NotApplicable("no layer's output was found in both graphs");
    }
    double mostRelative = subject.policy().limit("reference.layers.relative_l2");
    double leastCosine = subject.policy().limit("reference.layers.cosine");
    var check = new CheckResultBuilder(this, subject);
    double worst = 0;
    double worstCosine = 1;
    for (LayerError layer : report.layers()) {
      TensorError error = error(layer);
      if (error == null) {
        continue;
      }
      worst = Math.max(worst, error.relativeL2());
      worstCosine = Math.min(worstCosine, error.cosine());
      if (!(error.relativeL2() <= mostRelative && error.cosine() >= leastCosine)) {
        check.fails(
            of(
                layer.layer(),
                layer.worst(),
                "layer %d: relative error %.3g (limit %.3g), cosine %.5f (limit %.5f), most of it in %s"
                    .formatted(
                        layer.layer(),
                        error.relativeL2(),
                        mostRelative,
                        error.cosine(),
                        leastCosine,
                        layer.worst())));
      }
    }
    for (NodeError node : report.nodes()) {
      if (node.notFinite() > 0) {
        check.fails(
            of(
                node.place().layer(),
                node.tensor(),
                "%s: %d values are NaN or infinite, the reference's are finite"
                    .formatted(node.tensor(), node.notFinite())));
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

  /** A layer's own error; the accumulated one where no other was measured. */
  private static @Nullable TensorError error(LayerError layer) {
    return layer.local() != null ? layer.local() : layer.accumulated();
  }

  private static Evidence of(int layer, String tensor, String message) {
    return Evidence.ofTensor(
        AnomalyKind.QUANTIZATION.id(), Severity.CRITICAL, tensor, layer, message);
  }
}
