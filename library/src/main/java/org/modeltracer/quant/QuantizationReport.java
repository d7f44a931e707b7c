package org.modeltracer.quant;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.language.LogitDivergence;
import org.modeltracer.language.TokenDivergence;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.QuantizationErrorTrace;
import org.modeltracer.trace.SummarySection;

/**
 * What became of a model's numbers, against a reference.
 *
 * @param tokens tokens compared
 * @param window tokens read at a time, each window with nothing before it
 * @param logits predictions; null when the model makes none, or no position counts
 * @param embeddings embeddings of the texts; null when the models make none
 * @param nodes every node compared, largest local relative error first
 * @param layers the residual stream after each layer, ascending
 * @param heads divergence of attention, the largest accumulated first
 * @param firstDivergence the first node beyond the tolerance; null when there is none
 * @param rounding whether rounding explains all differences; null where the weights are not the
 *     same or local errors were not asked for
 * @param firstNotFinite the first node, in the reference's order, with a value on either side that
 *     is not finite; null when all are
 * @param firstScaled the first node, in the reference's order, whose own error is a factor; null
 *     when there is none
 * @param tolerance relative error of a row that is tolerated
 * @param localReason why there are no local errors; null when there are
 * @param predicted the first tokens that both models predicted; no part of the JSON
 */
public record QuantizationReport(
    long tokens,
    int window,
    @Nullable LogitDivergence logits,
    @Nullable EmbeddingDivergence embeddings,
    List<NodeError> nodes,
    List<LayerError> layers,
    List<HeadDivergence> heads,
    @Nullable FirstDivergence firstDivergence,
    @Nullable Rounding rounding,
    @Nullable NodeError firstNotFinite,
    @Nullable NodeError firstScaled,
    double tolerance,
    @Nullable String localReason,
    List<TokenDivergence> predicted) {

  /** Number of nodes of a level. */
  public long count(QuantizationLevel level) {
    return nodes.stream().filter(n -> n.level() == level).count();
  }

  /** The report as maps and records, to be written by {@code Json}. */
  public Map<String, @Nullable Object> toJson() {
    return ReportJson.whole(this);
  }

  /** Has a tracer count warnings and criticals and keep the worst nodes for its summary. */
  public void recordTo(ModelTracer tracer) {
    for (NodeError node : nodes) {
      TensorError e = node.worse();
      tracer.recordQuantError(
          new QuantizationErrorTrace(
              node.place(),
              node.tensor(),
              e.mse(),
              e.maxAbs(),
              e.relativeL2(),
              e.cosine(),
              e.snrDb(),
              node.level()));
    }
    tracer.addAnalysis(SummarySection.QUANTIZATION, () -> ReportJson.overview(this));
  }
}
