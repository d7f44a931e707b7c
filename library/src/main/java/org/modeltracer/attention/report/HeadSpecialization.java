package org.modeltracer.attention.report;

import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.CopyDistances;
import org.modeltracer.attention.Quantity;
import org.modeltracer.attention.RowTotals;

/**
 * The seven scores of a head, each in [0, 1], and the label they give.
 *
 * @param label first type, in the order of the scores, whose score reaches its threshold
 * @param positional share of rows whose argmax lies at {@code offset}
 * @param specialToken mass on position 0 and special tokens
 * @param semantic mass on copies or followers in excess of what distance alone explains, as a share
 *     of what is left to explain; the larger of the two
 * @param syntactic 1 − 1 / lift of the mass on structural tokens over their base rate, 0 below 1
 * @param local mass at distances of the local reach
 * @param global mass beyond the global distance
 * @param mixed 1 less the largest of the other scores
 * @param offset the offset that most argmaxes share, 0 being the query itself
 * @param rows rows with more than one visible key
 */
public record HeadSpecialization(
    HeadSpecializationType label,
    double positional,
    double specialToken,
    double semantic,
    double syntactic,
    double local,
    double global,
    double mixed,
    int offset,
    long rows) {
  private static final double POSITIONAL = 0.9;
  private static final double MASS = 0.5;
  private static final double SEMANTIC = 0.3;
  private static final double LIFT_OF_TWO = 0.5;
  private static final double STRUCTURAL_MASS = 0.3;

  /**
   * Scores and label of a head.
   *
   * <p>Thresholds: positional 0.9, special token, local and global 0.5, semantic 0.3, syntactic a
   * lift of 2 (score 0.5) with at least 0.3 of the mass. Voita et al. 2019, Kovaleva et al. 2019.
   */
  static HeadSpecialization of(CollectedHead head, CopyDistances copies) {
    RowTotals stats = head.rows();
    long rows = stats.rowsWithChoice();
    double positional = head.offsetShare();
    double special = stats.meanOrZero(Quantity.SPECIAL);
    double[] profile = head.positions().profile();
    double semantic =
        stats.count(Quantity.COPIES) == 0
            ? 0
            : Math.max(
                excess(stats.meanOrZero(Quantity.COPIES), copies.expectedCopies(profile)),
                excess(stats.meanOrZero(Quantity.FOLLOWERS), copies.expectedFollowers(profile)));
    double structural = stats.meanOrZero(Quantity.STRUCTURAL);
    double base = stats.meanOrZero(Quantity.STRUCTURAL_BASE);
    double syntactic = structural > base ? 1 - base / structural : 0;
    double local = stats.meanOrZero(Quantity.LOCAL);
    double global = stats.meanOrZero(Quantity.GLOBAL);
    HeadSpecializationType label;
    if (rows == 0) label = HeadSpecializationType.MIXED;
    else if (positional >= POSITIONAL) label = HeadSpecializationType.POSITIONAL;
    else if (special >= MASS) label = HeadSpecializationType.SPECIAL_TOKEN;
    else if (semantic >= SEMANTIC) label = HeadSpecializationType.SEMANTIC;
    else if (syntactic >= LIFT_OF_TWO && structural >= STRUCTURAL_MASS)
      label = HeadSpecializationType.SYNTACTIC;
    else if (local >= MASS) label = HeadSpecializationType.LOCAL;
    else if (global >= MASS) label = HeadSpecializationType.GLOBAL;
    else label = HeadSpecializationType.MIXED;
    double largest =
        Math.max(
            Math.max(positional, Math.max(special, semantic)),
            Math.max(syntactic, Math.max(local, global)));
    double mixed = Math.clamp(1 - largest, 0, 1);
    return new HeadSpecialization(
        label,
        positional,
        special,
        semantic,
        syntactic,
        local,
        global,
        mixed,
        head.positions().commonOffset(),
        rows);
  }

  private static double excess(double observed, double expected) {
    return expected >= 1 ? 0 : Math.max(0, (observed - expected) / (1 - expected));
  }
}
