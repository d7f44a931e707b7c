package org.modeltracer.anomaly;

import static org.modeltracer.model.Site.*;

import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.RunningStats;
import org.modeltracer.model.Site;

/**
 * Rules about the values of one tensor in one forward pass. Healthy values allocate nothing.
 *
 * <p>A model's massive activations (Sun 2024) are a few huge values that stay: the deviation they
 * cause is discounted, and what a place has shown in earlier passes is normal for it.
 */
public final class ActivationRules {
  /** Largest finite F16 number. */
  public static final double F16_MAX = 65504;

  private static final Set<Site> RESIDUAL_STREAM =
      EnumSet.of(EMBEDDING, RESIDUAL_MID, LAYER_OUT, ATTN_OUT, CROSS_OUT, FFN_OUT);

  /** Places whose values llama.cpp turns into F16: cache writes and inputs of F16 products. */
  private static final Set<Site> TURNED_INTO_F16 =
      EnumSet.of(
          ATTN_NORM,
          QUERY,
          KEY,
          VALUE,
          KEY_CACHE,
          VALUE_CACHE,
          CONTEXT,
          FFN_NORM,
          FFN_HIDDEN,
          FINAL_NORM);

  /** Places that may be constant in a healthy model: indices, masked scores, unused cells. */
  private static final Set<Site> MAY_BE_CONSTANT =
      EnumSet.of(
          KEY_CACHE,
          VALUE_CACHE,
          SCORES,
          ATTENTION,
          CROSS_ATTENTION,
          ROUTER,
          EXPERTS,
          LOGITS,
          OTHER);

  private ActivationRules() {}

  /** Whether llama.cpp turns the values of a place into F16: cache writes, inputs of products. */
  public static boolean turnedIntoF16(Site site) {
    return TURNED_INTO_F16.contains(site);
  }

  /** Bits left before F16 overflow, log2(65504 / absMax); infinite when all values are zero. */
  public static double headroom(double absMax) {
    return Math.log(F16_MAX / absMax) / Math.log(2);
  }

  /** The worst that can be said of a pass at a place, or null when it is healthy. */
  public static @Nullable Finding judge(
      Site site, RunningStats stats, PlaceHistory history, Thresholds limits) {
    if (stats.nan() > 0) {
      return Finding.of(AnomalyKind.NAN, share(stats.nan(), stats) + " are NaN");
    }
    if (stats.inf() > 0 && site != LOGITS) {
      return Finding.of(AnomalyKind.INF, share(stats.inf(), stats) + " are infinite");
    }
    if (large(stats, limits)) {
      Finding explosion = explosion(stats, history, limits);
      if (explosion != null) {
        return explosion;
      }
    }
    if (stats.std() < limits.vanishingStd()
        && stats.count() >= limits.vanishingValues()
        && !MAY_BE_CONSTANT.contains(site)) {
      return vanishing(stats);
    }
    return headroom(site, stats, limits);
  }

  /** What can be said of the output of one head alone. */
  public static @Nullable Finding judgeHead(RunningStats output) {
    return output.count() > 0 && output.zero() == output.count()
        ? Finding.of(
            AnomalyKind.DEAD_HEAD, "all " + output.count() + " values of the head's output are 0")
        : null;
  }

  /**
   * Judges how much a layer adds to the residual stream.
   *
   * @param pass ‖x‖ / (‖x‖ + ‖Δ‖) of this pass
   * @param run the same over the run so far, this pass included
   * @param tokens number of tokens behind {@code run}
   */
  public static @Nullable Finding judgeResidual(
      double pass, double run, long tokens, Thresholds limits) {
    if (tokens >= limits.residualTokens()
        && pass > limits.residualRatio()
        && run > limits.residualRatio()) {
      return Finding.of(
          AnomalyKind.RESIDUAL_DOMINANCE,
          "the layer adds next to nothing: residual ratio %.5f over %d tokens"
              .formatted(run, tokens));
    }
    return null;
  }

  private static boolean large(RunningStats stats, Thresholds limits) {
    double peak = stats.absMax();
    double std = stats.std();
    return peak > limits.explosionAbs()
        || (std > limits.explosionStd() && peak < limits.massiveRatio() * std);
  }

  private static @Nullable Finding explosion(
      RunningStats stats, PlaceHistory history, Thresholds limits) {
    String size = "max |x| %.4g, std %.4g".formatted(stats.absMax(), stats.std());
    if (history.established(limits)) {
      return history.covers(stats, limits)
          ? null
          : Finding.of(
              AnomalyKind.EXPLOSION,
              "%s, more than %s times all %d passes before"
                  .formatted(size, number(limits.historyFactor()), history.passes()));
    }
    boolean certain = stats.absMax() > limits.explosionCertain();
    return Finding.of(AnomalyKind.EXPLOSION, certain ? Severity.CRITICAL : Severity.WARNING, size);
  }

  private static Finding vanishing(RunningStats stats) {
    String what =
        stats.zero() == stats.count()
            ? "all " + stats.count() + " values are exactly 0"
            : "std %.3g over %d values: no signal".formatted(stats.std(), stats.count());
    return Finding.of(AnomalyKind.VANISHING, what);
  }

  private static @Nullable Finding headroom(Site site, RunningStats stats, Thresholds limits) {
    double peak = stats.absMax();
    boolean stored = turnedIntoF16(site);
    if (peak * Math.pow(2, limits.headroomBits()) <= F16_MAX
        || !(stored || RESIDUAL_STREAM.contains(site))) {
      return null;
    }
    return Finding.of(
        AnomalyKind.HEADROOM,
        stored ? Severity.WARNING : Severity.INFO,
        "max |x| %.4g leaves %.2f bits before F16 overflow".formatted(peak, headroom(peak)));
  }

  private static String share(long bad, RunningStats stats) {
    return bad + " of " + stats.count() + " values";
  }

  private static String number(double x) {
    return x == Math.rint(x) ? Long.toString((long) x) : Double.toString(x);
  }
}
