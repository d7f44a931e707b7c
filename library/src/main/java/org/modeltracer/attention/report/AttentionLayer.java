package org.modeltracer.attention.report;

import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.CollectedPrompt;
import org.modeltracer.attention.Measure;
import org.modeltracer.attention.Quantity;
import org.modeltracer.attention.RetainedAttention;
import org.modeltracer.attention.RowTotals;
import org.modeltracer.attention.TokenScores;
import org.modeltracer.model.HeadId;

/**
 * One layer's heads and what they are together.
 *
 * @param layer the layer
 * @param heads its heads by index
 * @param layerPatterns means over its heads
 * @param layerStats over all its weights
 */
public record AttentionLayer(
    int layer, Map<Integer, Head> heads, Patterns layerPatterns, Stats layerStats) {
  /**
   * One head.
   *
   * @param head the head
   * @param attentionMatrix weights by query and key, null unless asked for
   * @param tokenScores of the example prompt, null unless asked for
   * @param specializationType the label, null when too few rows tell
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
      int head,
      @Nullable List<float[]> attentionMatrix,
      @Nullable List<TokenScore> tokenScores,
      @Nullable HeadSpecializationType specializationType,
      HeadSpecialization specialization,
      double entropy,
      double maxAttention,
      double sparsity,
      Map<Quantity, Measure> measures,
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
      List<AttendedToken> mostAttended) {}

  /** A key, its text and the weight on it. */
  public record AttendedToken(int position, String token, double weight) {}

  /**
   * What heads are together.
   *
   * @param avgAttentionDistance mean of their mean distances, in tokens
   * @param concentration mean of their mean largest weights
   * @param interHeadSimilarity mean 1 − JS / ln 2 over pairs of heads that can be compared, null
   *     when there is none
   * @param diversity Vendi score over the number of such heads, in [1 / heads, 1]. Friedman and
   *     Dieng 2023
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

  static Map<Integer, AttentionLayer> of(
      NavigableMap<Integer, List<LabelledHead>> layers,
      NavigableMap<Integer, RowTotals> totals,
      HeadDistances distances,
      CollectedAttention collected) {
    var byLayer = new TreeMap<Integer, AttentionLayer>();
    layers.forEach(
        (layer, own) -> {
          var shown = new TreeMap<Integer, Head>();
          own.forEach(head -> shown.put(head.id().head(), head(head, collected)));
          Stats stats = stats(Objects.requireNonNull(totals.get(layer)));
          byLayer.put(layer, new AttentionLayer(layer, shown, patterns(own, distances), stats));
        });
    return byLayer;
  }

  private static Head head(LabelledHead labelled, CollectedAttention collected) {
    CollectedHead head = labelled.collected();
    HeadId id = head.id();
    RetainedAttention kept = collected.matrices();
    TokenScores scores = head.tokenScores();
    CollectedPrompt example = collected.example();
    RowTotals rows = head.rows();
    return new Head(
        id.head(),
        kept == null || !kept.captured(id.layer(), id.head())
            ? null
            : kept.matrix(id.layer(), id.head()),
        scores == null || example == null ? null : tokenScores(scores, example),
        labelled.label(),
        labelled.specialization(),
        rows.meanOrZero(Quantity.ENTROPY),
        rows.maxWeight(),
        rows.sparsity(),
        rows.measures(),
        head.outputNorm(),
        rows.rows(),
        rows.badRows());
  }

  private static List<TokenScore> tokenScores(TokenScores scores, CollectedPrompt prompt) {
    return IntStream.range(0, scores.size())
        .mapToObj(
            q ->
                new TokenScore(
                    prompt.text(q),
                    q,
                    scores.received(q),
                    scores.given(q),
                    scores.self(q),
                    scores.most(q).stream()
                        .map(
                            key ->
                                new AttendedToken(
                                    key.position(), prompt.text(key.position()), key.weight()))
                        .toList()))
        .toList();
  }

  private static Patterns patterns(List<LabelledHead> heads, HeadDistances distances) {
    double distance = 0;
    double concentration = 0;
    for (LabelledHead head : heads) {
      distance += head.collected().rows().meanOrZero(Quantity.DISTANCE);
      concentration += head.collected().rows().meanOrZero(Quantity.CONCENTRATION);
    }
    int n = heads.size();
    int[] places = distances.ofLayer(heads.get(0).layer());
    int k = places.length;
    boolean compared = k > 1;
    double alike = 0;
    for (int a = 0; a < k; a++) {
      for (int b = 0; b < a; b++) {
        alike += distances.similarity(places[a], places[b]);
      }
    }
    return new Patterns(
        distance / n,
        concentration / n,
        compared ? (Double) (2 * alike / ((double) k * (k - 1))) : null,
        compared && k <= EffectiveRank.LARGEST
            ? (Double) EffectiveRank.diversity(k, (a, b) -> similarity(distances, places, a, b))
            : null,
        compared ? distances.rows() : 0);
  }

  private static double similarity(HeadDistances distances, int[] places, int a, int b) {
    return a == b ? 1 : distances.similarity(places[a], places[b]);
  }

  private static Stats stats(RowTotals all) {
    return new Stats(
        all.meanWeight(),
        all.weightVariance(),
        all.meanOrZero(Quantity.ENTROPY),
        all.connections(),
        all.sparsity(),
        all.rows());
  }
}
