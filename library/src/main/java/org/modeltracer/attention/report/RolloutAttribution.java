package org.modeltracer.attention.report;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedPrompt;
import org.modeltracer.attention.Rollout;
import org.modeltracer.attention.RolloutMeans;

/**
 * Where the last position's information comes from, or that of the first one of a text that is read
 * both ways, by attention rollout; correlational.
 *
 * @param meanAttention mean head-averaged weight of visible keys, all layers; structural: rows sum
 *     to 1, so it is one over the mean number of keys in sight
 * @param maxAttention largest head-averaged weight of rows with more than one key
 * @param attentionEntropy mean entropy, in nats, of those head-averaged rows
 * @param attentionConcentration mean largest weight of those rows
 * @param rolloutMax largest rollout weight on another position
 * @param rolloutEntropy mean entropy, in nats, of the rollout's rows
 * @param batchSize prompts behind the means
 * @param seqLength positions of the example prompt
 * @param rows rollout rows behind the means
 * @param target position of the example prompt that the attribution is of, null without one
 * @param tokens its attribution, token by token
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
    @Nullable Integer target,
    List<Token> tokens,
    @Nullable String reason) {
  /**
   * One token's share.
   *
   * @param position its position
   * @param token its text
   * @param attribution rollout weight; sums to 1 over tokens
   * @param excess the same less what uniform attention to all keys in sight would give
   * @param pooled mean rollout weight of all positions on it, as a mean pooled embedding has it;
   *     sums to 1 over tokens; null where the target is the last position
   */
  public record Token(
      int position, String token, double attribution, double excess, @Nullable Double pooled) {}

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
        rollout.positions() == 0 ? null : (Integer) rollout.target(),
        tokens(example),
        reason(collected, example));
  }

  /** Why the rollout is not whole, null when it is. */
  private static @Nullable String reason(CollectedAttention collected, CollectedPrompt example) {
    Rollout rollout = example.rollout();
    int through = rollout.entropyByLayer().size();
    int layers = collected.shape().layers();
    if (rollout.stopped() != null) {
      return rollout.stopped();
    }
    if (through < layers) {
      return "it goes through the %d of %d layers that showed attention".formatted(through, layers);
    }
    if (rollout.partial() != null) {
      return rollout.partial();
    }
    // A token that was only chosen has no row yet.
    int tokens = example.tokens().size();
    if (tokens > rollout.positions() + 1) {
      return "it is of the first %d of %d tokens, the others showed no row"
          .formatted(rollout.positions(), tokens);
    }
    long cut = collected.rollout().cut();
    return cut == 0
        ? null
        : "of %d prompts %d are followed in part only".formatted(collected.prompts(), cut);
  }

  private static RolloutAttribution absent(String reason) {
    return new RolloutAttribution(
        null, null, null, null, null, null, 0, 0, 0, null, List.of(), reason);
  }

  private static List<Token> tokens(CollectedPrompt example) {
    Rollout rollout = example.rollout();
    int n = rollout.positions();
    if (n == 0) {
      return List.of();
    }
    int target = rollout.target();
    float[] row = Arrays.copyOf(rollout.row(target), n);
    int layers = rollout.entropyByLayer().size();
    boolean ahead = rollout.looksAhead();
    double[] uniform = ahead ? uniform(target, layers, n) : uniform(target, layers);
    double[] pooled = ahead ? pooled(rollout) : null;
    return IntStream.range(0, row.length)
        .mapToObj(
            j ->
                new Token(
                    j,
                    example.text(j),
                    row[j],
                    row[j] - uniform[j],
                    pooled == null ? null : (Double) pooled[j]))
        .toList();
  }

  private static double[] pooled(Rollout rollout) {
    int n = rollout.positions();
    double[] mean = new double[n];
    for (float[] row : rollout.rows()) {
      for (int j = 0; j < row.length; j++) {
        mean[j] += (double) row[j] / n;
      }
    }
    return mean;
  }

  /**
   * Rollout of one of n positions had every head attended uniformly to all of them: {@code [n]}.
   */
  static double[] uniform(int position, int layers, int n) {
    double stays = Math.pow(0.5, layers);
    double[] r = new double[n];
    Arrays.fill(r, (1 - stays) / n);
    r[position] += stays;
    return r;
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
