package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.PositionCounters;
import org.modeltracer.attention.SampledQuery;
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
   * Attention inside text segments, tested by {@link SegmentTest}.
   *
   * @param layerHead the head
   * @param internalStrength mass inside the query's segment over what distances alone explain
   * @param externalAttention mass that leaks outside
   * @param pValue chance of as much mass inside for a head that ignores segments
   * @param segments segments behind it
   * @param rows sampled rows behind it
   */
  public record Block(
      HeadId layerHead,
      double internalStrength,
      double externalAttention,
      double pValue,
      int segments,
      long rows) {}

  /**
   * A period in the mean weight by distance.
   *
   * @param layerHead the head
   * @param period distance between two peaks
   * @param strength autocorrelation of the profile at that distance
   * @param peak power of its spectrum there over that of the frequencies around it
   * @param repetitions whole periods within the distances seen
   * @param pValue chance of such a peak in an aperiodic profile, all frequencies counted
   * @param rows rows behind the profile
   */
  public record Repetitive(
      HeadId layerHead,
      int period,
      double strength,
      double peak,
      int repetitions,
      double pValue,
      long rows) {}

  static AttentionPatterns of(CollectedAttention collected) {
    var patterns =
        new AttentionPatterns(
            new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    for (CollectedHead head : collected.heads()) {
      patterns.add(head, collected.rows());
    }
    return patterns;
  }

  private void add(CollectedHead head, List<SampledQuery> sample) {
    diagonal(head).filter(d -> d.coverage >= COVERAGE).ifPresent(diagonalPatterns::add);
    vertical(head, verticalPatterns);
    block(head, sample).filter(b -> b.pValue < CHANCE).ifPresent(blockPatterns::add);
    Repetitive repetitive = repetitive(head);
    if (repetitive.pValue < CHANCE) repetitivePatterns.add(repetitive);
  }

  /** The strongest diagonal among offsets that at least half of the rows reach. */
  private static Optional<Diagonal> diagonal(CollectedHead head) {
    double[] profile = head.positions().profile();
    int[] reach = head.positions().rowsAtDistance();
    int offsets = reached(reach, head.rows().rows(), 2);
    if (offsets == 0) {
      return Optional.empty();
    }
    int best = 0;
    double sum = 0;
    for (int d = 0; d < offsets; d++) {
      sum += profile[d];
      if (profile[d] > profile[best]) best = d;
    }
    double others = offsets == 1 ? 0 : (sum - profile[best]) / (offsets - 1);
    double coverage = Math.min(1, (double) head.positions().argmaxAt(best) / reach[best]);
    return Optional.of(new Diagonal(head.id(), best, profile[best], others, coverage, reach[best]));
  }

  private static void vertical(CollectedHead head, List<Vertical> found) {
    PositionCounters positions = head.positions();
    double[] alpha = positions.sinkScores();
    int[] seen = positions.rowsSeeingKey();
    for (int k = 0; k < alpha.length; k++) {
      if (alpha[k] > SINK && seen[k] >= Math.max(4, head.rows().rows() / 4)) {
        found.add(new Vertical(head.id(), k, alpha[k], positions.connected(k), seen[k]));
      }
    }
  }

  static Optional<Block> block(CollectedHead head, List<SampledQuery> sample) {
    return SegmentTest.of(head, sample)
        .map(
            test ->
                new Block(
                    head.id(),
                    test.inside() / test.explained(),
                    1 - test.inside(),
                    test.pValue(),
                    test.segments(),
                    test.rows()));
  }

  /** The strongest period among distances that at least a quarter of the rows reach. */
  static Repetitive repetitive(CollectedHead head) {
    long rows = head.rows().rows();
    int[] reach = head.positions().rowsAtDistance();
    var found = Periodicity.of(head.positions().profile(), reach, reached(reach, rows, 4));
    return new Repetitive(
        head.id(),
        found.period(),
        found.autocorrelation(),
        found.peak(),
        found.repetitions(),
        found.pValue(),
        rows);
  }

  /** Number of distances, from 0 on, that one row in so many reaches. */
  private static int reached(int[] rowsAtDistance, long rows, int oneIn) {
    int n = 0;
    while (n < rowsAtDistance.length
        && rowsAtDistance[n] > 0
        && (long) oneIn * rowsAtDistance[n] >= rows) {
      n++;
    }
    return n;
  }
}
