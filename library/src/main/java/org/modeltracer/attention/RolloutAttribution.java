package org.modeltracer.attention;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where the last position's information comes from, by attention rollout; correlational.
 *
 * @param meanAttention mean head-averaged weight of visible keys, all layers
 * @param maxAttention largest head-averaged weight of rows with more than one key
 * @param attentionEntropy mean entropy, in nats, of those head-averaged rows
 * @param attentionConcentration mean largest weight of those rows
 * @param rolloutMax largest rollout weight on another position
 * @param rolloutEntropy mean entropy, in nats, of the rollout's rows
 * @param batchSize prompts behind the means
 * @param seqLength positions of the example prompt
 * @param rows rollout rows behind the means
 * @param tokens attribution of the example prompt's last position, token by token
 * @param reason why something is absent or the rollout stops early, null when it is whole
 */
public record RolloutAttribution(
    @Nullable Double meanAttention,
    @Nullable Double maxAttention,
    @Nullable Double attentionEntropy,
    @Nullable Double attentionConcentration,
    @Nullable Double rolloutMax,
    @Nullable Double rolloutEntropy,
    long batchSize,
    int seqLength,
    long rows,
    List<Token> tokens,
    @Nullable String reason) {
  /**
   * One token's share.
   *
   * @param position its position
   * @param token its text
   * @param attribution rollout weight; sums to 1 over tokens
   * @param excess the same less what uniform causal attention in every layer would give
   */
  public record Token(int position, String token, double attribution, double excess) {}

  static RolloutAttribution absent(String reason) {
    return new RolloutAttribution(null, null, null, null, null, null, 0, 0, 0, List.of(), reason);
  }
}
