package org.modeltracer.attention.report;

import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedPrompt;
import org.modeltracer.attention.Rollout;
import org.modeltracer.attention.RolloutMeans;

/**
 * Where the last position's information comes from, by attention rollout; correlational.
 *
 * @param meanAttention mean head-averaged weight of visible keys, all layers; structural: rows sum
 *     to 1, so it is one over the mean number of keys in sight, 2 / (T + 1) for T positions
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

  static RolloutAttribution of(CollectedAttention collected) {
    CollectedPrompt example = collected.example();
    if (example == null) {
      return absent("no prompt was traced");
    }
    Rollout rollout = example.rollout();
    RolloutMeans means = collected.rollout();
    if (means.rows() == 0) {
      return absent(
          Objects.requireNonNullElse(rollout.stopped(), "no row of attention was traced"));
    }
    return new RolloutAttribution(
        means.meanAttention(),
        means.maxAttention(),
        means.attentionEntropy(),
        means.attentionConcentration(),
        means.rolloutMax(),
        means.rolloutEntropy(),
        collected.prompts(),
        rollout.positions(),
        means.rows(),
        tokens(example),
        reason(collected, rollout));
  }

  /** Why the rollout is not whole, null when it is. */
  private static @Nullable String reason(CollectedAttention collected, Rollout rollout) {
    if (rollout.stopped() != null) {
      return rollout.stopped();
    }
    int through = rollout.entropyByLayer().size();
    int layers = collected.shape().layers();
    return through < layers
        ? "it goes through the %d of %d layers that showed causal attention"
            .formatted(through, layers)
        : rollout.partial();
  }

  private static RolloutAttribution absent(String reason) {
    return new RolloutAttribution(null, null, null, null, null, null, 0, 0, 0, List.of(), reason);
  }

  private static List<Token> tokens(CollectedPrompt example) {
    Rollout rollout = example.rollout();
    int last = rollout.positions() - 1;
    if (last < 0) {
      return List.of();
    }
    float[] row = rollout.row(last);
    double[] uniform = uniform(last, rollout.entropyByLayer().size());
    return IntStream.rangeClosed(0, last)
        .mapToObj(j -> new Token(j, example.text(j), row[j], row[j] - uniform[j]))
        .toList();
  }

  /**
   * Rollout of a position had every head attended uniformly to all earlier positions: {@code
   * [position + 1]}, in linear time per layer.
   *
   * <p>The row vector e_q is multiplied by Â from the right, layer by layer: (r Â)_j = r_j / 2 +
   * Σ_{i≥j} r_i / (2 (i + 1)).
   */
  static double[] uniform(int position, int layers) {
    double[] r = new double[position + 1];
    r[position] = 1;
    for (int l = 0; l < layers; l++) {
      double tail = 0;
      for (int j = position; j >= 0; j--) {
        tail += r[j] / (2.0 * (j + 1));
        r[j] = r[j] / 2 + tail;
      }
    }
    return r;
  }
}
