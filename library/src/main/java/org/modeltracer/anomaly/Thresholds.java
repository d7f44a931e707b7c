package org.modeltracer.anomaly;

import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.json.JsonMapper;

/**
 * Every limit of every rule, in one table. Configuration files use the names in snake case.
 *
 * @param explosionAbs magnitude above which a value is suspect (1e6: published massive activations
 *     stay below, Sun 2024, arXiv:2402.17762)
 * @param explosionStd standard deviation above which a tensor is suspect (1e4)
 * @param explosionCertain magnitude that is critical even in the first passes, where nothing says a
 *     stable feature of the model from an explosion (1e8)
 * @param massiveRatio peak over standard deviation from which a few massive values, not the whole
 *     tensor, make the deviation (20; a Gaussian tensor has 4 to 6)
 * @param historyPasses finite observations of a place before its own history judges it (3)
 * @param historyFactor growth over that history's largest value that is an explosion (10)
 * @param vanishingStd standard deviation below which a tensor carries no signal (1e-6)
 * @param vanishingValues values a tensor needs for that to mean anything (16)
 * @param residualRatio ‖x‖ / (‖x‖ + ‖Δ‖) above which a layer adds nothing (0.99)
 * @param residualTokens tokens needed before a layer is judged by it (8)
 * @param headroomBits bits left before F16 overflow, log2(65504 / max|x|), below which to warn (2)
 * @param rowSum how far attention weights may be from summing to 1 (1e-3)
 * @param attentionKeys visible keys a row needs to count as evidence about its head (8)
 * @param collapseWeight weight on one key that is "all" (0.99)
 * @param collapseShare share of rows on the same key that is a collapse (0.9)
 * @param collapseRows rows needed to call it one (64)
 * @param uniformEntropy normalized entropy, 0 to 1, that is uniform (0.999)
 * @param uniformRows rows needed to call a head uniform (8)
 * @param indexerRecall recall of an indexer, as a share of the best that as many keys could have, 0
 *     to 1, below which it selects the wrong ones (0.8)
 * @param indexerQueries queries that see more keys than are selected before an indexer is judged
 *     (16)
 * @param deadExpertChoices choices per expert, on average, before one never chosen is dead (100)
 * @param flatLogits normalized entropy of the next token, 0 to 1, that is flat (0.999)
 * @param collapsedEntropy entropy of the next token, in nats, that is collapsed (1e-3)
 * @param collapsedEntropySteps steps in a row that it must stay so (32)
 * @param repeatedToken times that one token must follow itself (32; underlines are shorter)
 * @param loopPeriod longest loop looked for, in tokens (64)
 * @param loopRepeats rounds that make a loop (4)
 * @param loopTokens tokens that a loop must cover at least (32)
 * @param brokenUtf8 tokens in a row with bytes that are not UTF-8 (4)
 * @param kvWindow steps over which evictions are watched (32)
 * @param kvEvictionShare share of the cells that, evicted within these steps, is high (0.25)
 * @param kvHitRate reuse below which many evictions are thrashing, 0 to 1 (0.5)
 * @param weightRatio how many times larger than in the median of the other layers the largest value
 *     of a weight tensor must be to be absurd (1000)
 * @param weightAbs the same, as a magnitude, for tensors that no other layer has (1e4)
 * @param replays passes run again in search of a root cause, at most, in one run (8)
 * @param quantAcceptable cosine to the reference above which a tensor is fine (0.995)
 * @param quantWarning cosine above which it is a warning, and at or below which critical (0.99)
 */
public record Thresholds(
    double explosionAbs,
    double explosionStd,
    double explosionCertain,
    double massiveRatio,
    int historyPasses,
    double historyFactor,
    double vanishingStd,
    int vanishingValues,
    double residualRatio,
    int residualTokens,
    double headroomBits,
    double rowSum,
    int attentionKeys,
    double collapseWeight,
    double collapseShare,
    int collapseRows,
    double uniformEntropy,
    int uniformRows,
    double indexerRecall,
    int indexerQueries,
    int deadExpertChoices,
    double flatLogits,
    double collapsedEntropy,
    int collapsedEntropySteps,
    int repeatedToken,
    int loopPeriod,
    int loopRepeats,
    int loopTokens,
    int brokenUtf8,
    int kvWindow,
    double kvEvictionShare,
    double kvHitRate,
    double weightRatio,
    double weightAbs,
    int replays,
    double quantAcceptable,
    double quantWarning) {

  private static final Thresholds DEFAULTS =
      new Thresholds(
          1e6, 1e4, 1e8, 20, 3, 10, 1e-6, 16, 0.99, 8, 2, 1e-3, 8, 0.99, 0.9, 64, 0.999, 8, 0.8, 16,
          100, 0.999, 1e-3, 32, 32, 64, 4, 32, 4, 32, 0.25, 0.5, 1000, 1e4, 8, 0.995, 0.99);

  /** The limits in the table above. */
  public static Thresholds defaults() {
    return DEFAULTS;
  }

  /**
   * The defaults with some limits replaced.
   *
   * @param changes limit by name in snake case, as parsed from JSON or YAML
   * @throws IllegalArgumentException on a name that is no limit, or a value that is not a number
   *     above 0 (a whole number where things are counted)
   */
  public static Thresholds from(Map<String, ?> changes) {
    JsonMapper mapper =
        JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();
    Map<String, Object> limits =
        new LinkedHashMap<>(mapper.convertValue(DEFAULTS, new TypeReference<>() {}));
    changes.forEach(
        (name, value) -> {
          Object standard = limits.get(name);
          if (standard == null) {
            throw new IllegalArgumentException(
                "thresholds: '" + name + "' is not a limit; known: " + limits.keySet());
          }
          limits.put(name, checked(name, value, standard instanceof Integer));
        });
    return mapper.convertValue(limits, Thresholds.class);
  }

  private static Number checked(String name, Object value, boolean count) {
    if (value instanceof Number n) {
      double x = n.doubleValue();
      if (count && x >= 1 && x <= Integer.MAX_VALUE && x == Math.rint(x)) {
        return (int) x;
      }
      if (!count && x > 0 && x < Double.POSITIVE_INFINITY) {
        return x;
      }
    }
    throw new IllegalArgumentException(
        "thresholds: %s must be a %s above 0, not '%s'"
            .formatted(name, count ? "whole number" : "number", value));
  }
}
