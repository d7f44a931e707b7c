package org.modeltracer.gate.checks;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.language.LogitDivergence;
import org.modeltracer.quant.EmbeddingDivergence;
import org.modeltracer.quant.LayerError;
import org.modeltracer.quant.NodeError;
import org.modeltracer.quant.QuantizationReport;
import org.modeltracer.quant.TensorError;

/** What a policy asks of a comparison with a reference: one table for the gate and for diff. */
public final class ReferenceCriteria {
  private ReferenceCriteria() {}

  /** What does not hold, in words; empty where all does. */
  public static List<String> unmet(QuantizationReport report, Policy policy) {
    var all = new ArrayList<>(logits(report, policy));
    all.addAll(embeddings(report.embeddings(), policy));
    all.addAll(layers(report, policy));
    return all.stream().map(Evidence::message).toList();
  }

  static List<Evidence> logits(QuantizationReport report, Policy policy) {
    LogitDivergence logits = report.logits();
    if (logits == null) {
      return List.of();
    }
    var unmet = new ArrayList<>(logits(logits, report.firstNotFinite(), policy));
    NodeError scaled = report.firstScaled();
    if (!unmet.isEmpty() && scaled != null) {
      unmet.add(scaled(scaled));
    }
    return unmet;
  }

  /**
   * What does not hold of the predictions alone.
   *
   * @param firstNotFinite where values are not finite first, null when unknown
   */
  static List<Evidence> logits(
      LogitDivergence logits, @Nullable NodeError firstNotFinite, Policy policy) {
    var unmet = new ArrayList<Evidence>();
    if (logits.notFinite() > 0) {
      unmet.add(notFinite(logits, firstNotFinite));
    }
    if (logits.positions() > 0) {
      double flips = 1 - logits.sameTop1();
      double increase = logits.perplexityIncrease();
      atMost(unmet, policy, "kl_mean", logits.klMean(), "mean KL divergence, in nats,");
      atMost(unmet, policy, "kl_p99", logits.klP99(), "99th percentile of KL divergence");
      atMost(unmet, policy, "flips", flips, "share of other top tokens");
      atMost(unmet, policy, "perplexity_increase", increase, "relative increase of perplexity");
    }
    return unmet;
  }

  private static Evidence notFinite(LogitDivergence logits, @Nullable NodeError first) {
    String where =
        first == null
            ? ""
            : ", first not finite is %s of the %s"
                .formatted(first.name(), first.referenceNotFinite() > 0 ? "reference" : "file");
    return Evidence.of(
        AnomalyKind.NAN.id(),
        Severity.CRITICAL,
        "at %d of %d positions logits are not finite%s"
            .formatted(logits.notFinite(), logits.notFinite() + logits.positions(), where));
  }

  private static Evidence scaled(NodeError node) {
    return of(
        node.place().layerOrNull(),
        node.weight() == null ? node.tensor() : node.weight(),
        node.scaleInWords(node.name()));
  }

  /** Adds what is above its limit, or no number. */
  private static void atMost(
      List<Evidence> unmet, Policy policy, String name, double value, String what) {
    double limit = policy.limit("reference.logits." + name);
    if (!(value <= limit)) {
      unmet.add(
          Evidence.of(
              AnomalyKind.QUANTIZATION.id(),
              Severity.CRITICAL,
              "%s is %.3g, the limit is %.3g".formatted(what, value, limit)));
    }
  }

  static List<Evidence> embeddings(@Nullable EmbeddingDivergence embeddings, Policy policy) {
    double limit = policy.limit("reference.embeddings.cosine");
    return embeddings == null || embeddings.cosineMin() >= limit
        ? List.of()
        : List.of(
            Evidence.of(
                AnomalyKind.QUANTIZATION.id(),
                Severity.CRITICAL,
                "the embedding of a text has cosine %.4f to the reference's, the limit is %.4f"
                    .formatted(embeddings.cosineMin(), limit)));
  }

  static List<Evidence> layers(QuantizationReport report, Policy policy) {
    double mostRelative = policy.limit("reference.layers.relative_l2");
    double leastCosine = policy.limit("reference.layers.cosine");
    var unmet = new ArrayList<Evidence>();
    for (LayerError layer : report.layers()) {
      TensorError error = layer.own();
      if (error != null && !(error.relativeL2() <= mostRelative && error.cosine() >= leastCosine)) {
        unmet.add(
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
        unmet.add(
            of(
                node.place().layerOrNull(),
                node.tensor(),
                "%s: %d values are NaN or infinite, the reference's are finite"
                    .formatted(node.tensor(), node.notFinite())));
      }
      if (node.referenceNotFinite() > 0) {
        unmet.add(
            of(
                node.place().layerOrNull(),
                node.tensor(),
                "%s: %d values of the reference are NaN or infinite"
                    .formatted(node.tensor(), node.referenceNotFinite())));
      }
    }
    return unmet;
  }

  private static Evidence of(@Nullable Integer layer, String tensor, String message) {
    return Evidence.ofTensor(
        AnomalyKind.QUANTIZATION.id(), Severity.CRITICAL, tensor, layer, message);
  }
}
