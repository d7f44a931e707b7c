package org.modeltracer.attention;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * One layer's heads and what they are together.
 *
 * @param layerIndex the layer
 * @param heads its heads by index
 * @param layerPatterns means over its heads
 * @param layerStats over all its weights
 */
public record AttentionLayer(
    int layerIndex, Map<Integer, Head> heads, Patterns layerPatterns, Stats layerStats) {
  /**
   * One head.
   *
   * @param headIndex the head
   * @param attentionMatrix weights by query and key, null unless asked for
   * @param tokenScores of the example prompt, null unless asked for
   * @param specializationType the label
   * @param specialization all scores behind the label
   * @param entropy mean −Σ a ln a in nats over all rows
   * @param maxAttention largest weight of any row with more than one key
   * @param sparsity share of visible keys below the threshold
   * @param measures every {@link Quantity} that some row defined
   * @param outputNorm norm of what it writes into the residual stream for a token, or of its mixed
   *     value where the output matrix is not known; null when neither was seen
   * @param rows rows seen
   * @param badRows rows left out because a weight was not finite
   */
  public record Head(
      int headIndex,
      @Nullable List<float[]> attentionMatrix,
      @Nullable List<TokenScore> tokenScores,
      HeadSpecializationType specializationType,
      HeadSpecialization specialization,
      double entropy,
      double maxAttention,
      double sparsity,
      Map<String, Measure> measures,
      @Nullable Measure outputNorm,
      long rows,
      long badRows) {}

  /**
   * One token under one head.
   *
   * @param token its text
   * @param position its position
   * @param attentionReceived weight from later tokens, summed
   * @param attentionGiven weight on other tokens, summed
   * @param selfAttention weight on itself
   * @param mostAttended the three keys it attends to most
   */
  public record TokenScore(
      String token,
      int position,
      double attentionReceived,
      double attentionGiven,
      double selfAttention,
      List<Attended> mostAttended) {}

  /** A key, its text and the weight on it. */
  public record Attended(int position, String token, double weight) {}

  /**
   * What heads are together.
   *
   * @param avgAttentionDistance mean of their mean distances, in tokens
   * @param concentration mean of their mean largest weights
   * @param interHeadSimilarity mean 1 − JS / ln 2 over pairs, null for one head or no sample
   * @param diversity Vendi score over the number of heads, in [1 / heads, 1]. Friedman and Dieng
   *     2023
   * @param sampledRows rows behind the two
   */
  public record Patterns(
      double avgAttentionDistance,
      double concentration,
      @Nullable Double interHeadSimilarity,
      @Nullable Double diversity,
      int sampledRows) {}

  /**
   * Over all weights of a layer.
   *
   * @param meanAttention mean weight of visible keys
   * @param attentionVariance variance of those weights
   * @param entropy mean entropy in nats over rows
   * @param significantConnections weights above the significance threshold
   * @param sparsityRatio share of visible keys below the sparsity threshold
   * @param rows rows of all heads
   */
  public record Stats(
      double meanAttention,
      double attentionVariance,
      double entropy,
      long significantConnections,
      double sparsityRatio,
      long rows) {}

  static Map<String, AttentionLayer> of(
      AttentionAnalyzer analyzer, HeadDistances distances, @Nullable RetainedAttention kept) {
    var byLayer = new TreeMap<Integer, Map<Integer, Head>>();
    var pooled = new TreeMap<Integer, HeadStats>();
    for (int index : analyzer.seen()) {
      int layer = analyzer.id(index).layer();
      HeadStats stats = analyzer.stats(index);
      byLayer
          .computeIfAbsent(layer, l -> new TreeMap<>())
          .put(analyzer.id(index).head(), head(analyzer, index, kept));
      pooled.computeIfAbsent(layer, l -> new HeadStats(analyzer.options)).merge(stats);
    }
    var layers = new LinkedHashMap<String, AttentionLayer>();
    byLayer.forEach(
        (layer, heads) -> {
          HeadStats all = Objects.requireNonNull(pooled.get(layer));
          Patterns patterns = distances.patterns(analyzer, layer, heads.values());
          layers.put(String.valueOf(layer), new AttentionLayer(layer, heads, patterns, stats(all)));
        });
    return layers;
  }

  private static Head head(
      AttentionAnalyzer analyzer, int index, @Nullable RetainedAttention kept) {
    HeadStats stats = analyzer.stats(index);
    var id = analyzer.id(index);
    HeadSpecialization specialization = analyzer.specialization(index);
    return new Head(
        id.head(),
        kept == null || !kept.captured(id.layer(), id.head())
            ? null
            : kept.matrix(id.layer(), id.head()),
        analyzer.tokenScores(index),
        specialization.label(),
        specialization,
        stats.meanOrZero(Quantity.ENTROPY),
        stats.maxWeight,
        stats.sparsity(),
        stats.measures(),
        analyzer.outputs.measure(index),
        stats.rows,
        stats.badRows);
  }

  private static Stats stats(HeadStats all) {
    double n = Math.max(1, all.visible);
    double mean = all.weightSum / n;
    return new Stats(
        mean,
        Math.max(0, all.weightSquares / n - mean * mean),
        all.meanOrZero(Quantity.ENTROPY),
        all.connections,
        all.sparsity(),
        all.rows);
  }
}
