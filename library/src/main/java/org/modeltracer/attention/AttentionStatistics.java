package org.modeltracer.attention;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

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
   * @param byHead by head, such as {@code L0H1}
   * @param overallSparsity over all rows
   * @param sparsityVariance variance over heads
   */
  public record Sparsity(
      Map<Integer, Double> byLayer,
      Map<String, Double> byHead,
      double overallSparsity,
      double sparsityVariance) {}

  static AttentionStatistics of(AttentionAnalyzer analyzer, List<AttentionInsight> insights) {
    var all = new HeadStats(analyzer.options);
    var layers = new TreeMap<Integer, HeadStats>();
    var byHead = new LinkedHashMap<String, Double>();
    int[] seen = analyzer.seen();
    double[] concentration = new double[seen.length];
    double mean = 0;
    double squares = 0;
    for (int i = 0; i < seen.length; i++) {
      HeadStats stats = analyzer.stats(seen[i]);
      all.merge(stats);
      layers
          .computeIfAbsent(analyzer.id(seen[i]).layer(), l -> new HeadStats(analyzer.options))
          .merge(stats);
      double sparsity = stats.sparsity();
      byHead.put(analyzer.id(seen[i]).toString(), sparsity);
      mean += sparsity / seen.length;
      squares += sparsity * sparsity / seen.length;
      concentration[i] = stats.meanOrZero(Quantity.CONCENTRATION);
    }
    var byLayer = new TreeMap<Integer, Double>();
    layers.forEach((layer, stats) -> byLayer.put(layer, stats.sparsity()));
    return new AttentionStatistics(
        all.meanOrZero(Quantity.ENTROPY),
        quantiles(concentration),
        new Sparsity(byLayer, byHead, all.sparsity(), Math.max(0, squares - mean * mean)),
        insights,
        all.rows);
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
