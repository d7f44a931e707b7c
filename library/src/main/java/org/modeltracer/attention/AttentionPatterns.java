package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.List;
import org.modeltracer.model.HeadId;

/**
 * Shapes seen in attention matrices; a head is listed only where the shape is there.
 *
 * @param diagonalPatterns heads whose argmax follows one offset in at least half of the rows
 * @param verticalPatterns keys that draw more than 0.3 of later queries' weight
 * @param blockPatterns heads that stay inside text segments beyond chance (p below 0.001)
 * @param repetitivePatterns heads whose distance profile has a period beyond chance (p below 0.001)
 */
public record AttentionPatterns(
    List<Diagonal> diagonalPatterns,
    List<Vertical> verticalPatterns,
    List<Block> blockPatterns,
    List<Repetitive> repetitivePatterns) {
  private static final double COVERAGE = 0.5;
  private static final double SINK = 0.3;
  private static final double CHANCE = 0.001;

  /**
   * A diagonal.
   *
   * @param layerHead the head
   * @param offset distance i − j of the diagonal, the one with the largest mean weight
   * @param strength mean weight on it
   * @param others mean weight on the other offsets
   * @param coverage share of the rows that reach it whose argmax is on it
   * @param rows rows that reach it
   */
  public record Diagonal(
      HeadId layerHead, int offset, double strength, double others, double coverage, int rows) {}

  /**
   * A column.
   *
   * @param layerHead the head
   * @param targetPosition the key that draws attention
   * @param strength α_k, mean weight of later queries. Gu et al. 2024
   * @param attendingTokens later queries that give it more than the significance threshold
   * @param rows later queries that see it
   */
  public record Vertical(
      HeadId layerHead, int targetPosition, double strength, int attendingTokens, int rows) {}

  /**
   * Attention inside text segments.
   *
   * @param layerHead the head
   * @param internalStrength mass inside the query's segment over its uniform expectation
   * @param externalAttention mass that leaks outside
   * @param pValue chance of as much mass inside for a head that ignores segments
   * @param rows rows that see beyond their segment
   */
  public record Block(
      HeadId layerHead,
      double internalStrength,
      double externalAttention,
      double pValue,
      long rows) {}

  /**
   * A period in the mean weight by distance.
   *
   * @param layerHead the head
   * @param period lag of the largest autocorrelation
   * @param strength that autocorrelation
   * @param z its z-score, r √N for N distances
   * @param repetitions whole periods within the distances seen
   * @param pValue chance of such a lag in an aperiodic profile, all lags tried counted
   * @param rows rows behind the profile
   */
  public record Repetitive(
      HeadId layerHead,
      int period,
      double strength,
      double z,
      int repetitions,
      double pValue,
      long rows) {}

  static AttentionPatterns of(AttentionAnalyzer analyzer) {
    var patterns =
        new AttentionPatterns(
            new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    for (int index : analyzer.seen()) {
      patterns.add(analyzer.id(index), analyzer.stats(index));
    }
    return patterns;
  }

  private void add(HeadId id, HeadStats stats) {
    Diagonal diagonal = diagonal(id, stats);
    if (diagonal.coverage >= COVERAGE) diagonalPatterns.add(diagonal);
    double[] alpha = stats.positions.sinkScores();
    int[] seen = stats.positions.rowsSeeingKey();
    for (int k = 0; k < alpha.length; k++) {
      if (alpha[k] > SINK && seen[k] >= Math.max(4, stats.rows / 4)) {
        verticalPatterns.add(new Vertical(id, k, alpha[k], stats.positions.connected[k], seen[k]));
      }
    }
    Measure inside = stats.measure(Quantity.INSIDE);
    if (inside != null) {
      double base = stats.mean(Quantity.INSIDE_BASE);
      double p = Significance.meanAbove(inside, base);
      if (p < CHANCE) {
        blockPatterns.add(new Block(id, inside.mean() / base, 1 - inside.mean(), p, inside.rows()));
      }
    }
    Repetitive repetitive = repetitive(id, stats);
    if (repetitive.pValue < CHANCE) repetitivePatterns.add(repetitive);
  }

  /** The strongest diagonal among offsets that at least half of the rows reach. */
  static Diagonal diagonal(HeadId id, HeadStats stats) {
    double[] profile = stats.positions.profile();
    int[] reach = stats.positions.rowsAtDistance();
    int best = 0;
    double sum = 0;
    int offsets = 0;
    for (int d = 0; d < profile.length && 2L * reach[d] >= stats.rows && reach[d] > 0; d++) {
      sum += profile[d];
      offsets++;
      if (profile[d] > profile[best]) best = d;
    }
    if (offsets == 0) {
      return new Diagonal(id, 0, 0, 0, 0, 0);
    }
    double others = offsets == 1 ? 0 : (sum - profile[best]) / (offsets - 1);
    double coverage = Math.min(1, (double) stats.positions.argmaxAt[best] / reach[best]);
    return new Diagonal(id, best, profile[best], others, coverage, reach[best]);
  }

  /** The strongest period: a local peak of the autocorrelation of the detrended profile. */
  static Repetitive repetitive(HeadId id, HeadStats stats) {
    int[] reach = stats.positions.rowsAtDistance();
    int n = 0;
    while (n < reach.length && 4L * reach[n] >= stats.rows && reach[n] > 0) n++;
    double[] x = detrended(stats.positions.profile(), n);
    double variance = 0;
    for (double v : x) variance += v * v;
    int period = 0;
    double top = 0;
    double[] r = new double[n / 2 + 1];
    for (int lag = 1; lag < r.length && variance > 1e-18; lag++) {
      for (int d = 0; d + lag < n; d++) r[lag] += x[d] * x[d + lag];
      r[lag] /= variance;
    }
    for (int lag = 2; lag + 1 < r.length; lag++) {
      if (r[lag] > top && r[lag] > r[lag - 1] && r[lag] > r[lag + 1]) {
        top = r[lag];
        period = lag;
      }
    }
    double z = top * Math.sqrt(n);
    double p = period == 0 ? 1 : Math.min(1, n / 2.0 * Significance.above(z));
    return new Repetitive(id, period, top, z, period == 0 ? 0 : n / period, p, stats.rows);
  }

  /** The first n values less their least-squares line. */
  private static double[] detrended(double[] values, int n) {
    double mean = 0;
    double slope = 0;
    double spread = 0;
    double middle = (n - 1) / 2.0;
    for (int i = 0; i < n; i++) {
      mean += values[i] / n;
      slope += (i - middle) * values[i];
      spread += (i - middle) * (i - middle);
    }
    slope = spread == 0 ? 0 : slope / spread;
    double[] rest = new double[n];
    for (int i = 0; i < n; i++) rest[i] = values[i] - mean - slope * (i - middle);
    return rest;
  }
}
