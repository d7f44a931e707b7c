package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.Quantity;
import org.modeltracer.attention.RowTotals;

/**
 * The attention of a whole model in a few numbers, and what stands out.
 *
 * @param avgEntropy mean entropy in nats over the rows of all heads
 * @param concentrationDistribution quantiles over heads of the mean largest weight
 * @param sparsityDistribution how sparse layers and heads are
 * @param insights what stands out, with evidence
 * @param rows rows of all heads
 */
public record AttentionStatistics(
    double avgEntropy,
    Map<String, Double> concentrationDistribution,
    Sparsity sparsityDistribution,
    List<AttentionInsight> insights,
    long rows) {
  /**
   * Share of visible keys below the sparsity threshold.
   *
   * @param byLayer over the rows of a layer
   * @param byHead over the rows of a head, in order
   * @param overallSparsity over all rows
   * @param sparsityVariance variance over heads
   */
  public record Sparsity(
      Map<Integer, Double> byLayer,
      List<OfHead> byHead,
      double overallSparsity,
      double sparsityVariance) {}

  /** Sparsity of one head. */
  public record OfHead(int layer, int head, double sparsity) {}

  static AttentionStatistics of(
      CollectedAttention collected,
      NavigableMap<Integer, RowTotals> layers,
      List<AttentionInsight> insights) {
    RowTotals all = collected.all();
    var byLayer = new TreeMap<Integer, Double>();
    layers.forEach((layer, rows) -> byLayer.put(layer, rows.sparsity()));
    var byHead = new ArrayList<OfHead>();
    int n = collected.heads().size();
    double mean = 0;
    double squares = 0;
    for (CollectedHead head : collected.heads()) {
      double sparsity = head.rows().sparsity();
      byHead.add(new OfHead(head.id().layer(), head.id().head(), sparsity));
      mean += sparsity / n;
      squares += sparsity * sparsity / n;
    }
    double[] concentration =
        collected.heads().stream()
            .mapToDouble(head -> head.rows().meanOrZero(Quantity.CONCENTRATION))
            .toArray();
    return new AttentionStatistics(
        all.meanOrZero(Quantity.ENTROPY),
        quantiles(concentration),
        new Sparsity(byLayer, byHead, all.sparsity(), Math.max(0, squares - mean * mean)),
        insights,
        all.rows());
  }

  private static Map<String, Double> quantiles(double[] values) {
    var quantiles = new LinkedHashMap<String, Double>();
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    String[] names = {"min", "p25", "median", "p75", "max"};
    for (int i = 0; i < names.length && sorted.length > 0; i++) {
      double at = i / 4.0 * (sorted.length - 1);
      int low = (int) at;
      int high = Math.min(sorted.length - 1, low + 1);
      quantiles.put(names[i], sorted[low] + (at - low) * (sorted[high] - sorted[low]));
    }
    return quantiles;
  }
}
