package org.modeltracer.attention.report;

import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.CopyDistances;
import org.modeltracer.attention.PositionCounters;
import org.modeltracer.attention.Quantity;
import org.modeltracer.attention.RowTotals;

/**
 * The seven scores of a head, each in [0, 1], and the label they give: docs/definitions/heads.md.
 *
 * <p>The excess of a mass m over what chance gives, b, is (m − b) / (1 − b), 0 below: 0 for uniform
 * attention to the keys in sight of the same rows, 1 for a head with nothing else. A score whose
 * quantity fewer than 32 rows define is 0.
 *
 * @param label first type, in the order of the scores, whose score reaches its threshold; null when
 *     fewer than 32 rows had a choice
 * @param positional share of rows whose argmax lies at {@code offset}
 * @param specialToken excess of the mass on position 0 and special tokens
 * @param semantic excess of the mass on copies, or on followers, over what distance alone explains;
 *     the larger of the two
 * @param syntactic excess of the mass on structural tokens
 * @param local excess of the mass at distances of the local reach
 * @param global excess of the mass beyond the global distance
 * @param mixed 1 less the largest of the other scores, of positional and {@code offsetExcess} the
 *     smaller
 * @param offset the offset that most argmaxes share, 0 being the query itself
 * @param offsetExcess excess of the mean weight at that offset
 * @param rows rows with more than one visible key
 */
public record HeadSpecialization(
    @Nullable HeadSpecializationType label,
    double positional,
    double specialToken,
    double semantic,
    double syntactic,
    double local,
    double global,
    double mixed,
    int offset,
    double offsetExcess,
    long rows) {
  private static final double POSITIONAL = 0.9;
  private static final double MOST = 0.5;

  /** Semantic score that makes a head semantic, and essential whatever its label. */
  static final double SEMANTIC = 0.3;

  /** Scores and label of a head. Voita et al. 2019, Kovaleva et al. 2019. */
  static HeadSpecialization of(CollectedHead head, CopyDistances copies) {
    RowTotals rows = head.rows();
    PositionCounters positions = head.positions();
    int offset = positions.commonOffset();
    double positional = head.offsetShare();
    double offsetExcess = offsetExcess(head);
    double special = Chance.excess(rows, Quantity.SPECIAL, Quantity.SPECIAL_BASE);
    double semantic =
        Math.max(
            Chance.excess(Chance.mean(rows, Quantity.COPIES), copies.expectedCopies(positions)),
            Chance.excess(
                Chance.mean(rows, Quantity.FOLLOWERS), copies.expectedFollowers(positions)));
    double syntactic = Chance.excess(rows, Quantity.STRUCTURAL, Quantity.STRUCTURAL_BASE);
    double local = Chance.excess(rows, Quantity.LOCAL, Quantity.LOCAL_BASE);
    double global = Chance.excess(rows, Quantity.GLOBAL, Quantity.GLOBAL_BASE);

    HeadSpecializationType label;
    if (rows.rowsWithChoice() < Chance.FEWEST_ROWS) label = null;
    else if (positional >= POSITIONAL && offsetExcess >= MOST)
      label = HeadSpecializationType.POSITIONAL;
    else if (special >= MOST) label = HeadSpecializationType.SPECIAL_TOKEN;
    else if (semantic >= SEMANTIC) label = HeadSpecializationType.SEMANTIC;
    else if (syntactic >= MOST) label = HeadSpecializationType.SYNTACTIC;
    else if (local >= MOST) label = HeadSpecializationType.LOCAL;
    else if (global >= MOST) label = HeadSpecializationType.GLOBAL;
    else label = HeadSpecializationType.MIXED;

    double fixed = Math.min(positional, offsetExcess);
    double content = Math.max(semantic, syntactic);
    double place = Math.max(special, Math.max(local, global));
    double mixed = Math.clamp(1 - Math.max(fixed, Math.max(content, place)), 0, 1);
    return new HeadSpecialization(
        label,
        positional,
        special,
        semantic,
        syntactic,
        local,
        global,
        mixed,
        offset,
        offsetExcess,
        rows.rowsWithChoice());
  }

  /** Excess of the mean weight at the common offset over that of one key picked at random. */
  static double offsetExcess(CollectedHead head) {
    PositionCounters positions = head.positions();
    return head.rows().rowsWithChoice() == 0
        ? 0
        : Chance.excess(positions.weightAt(positions.commonOffset()), head.rows().chanceOfOneKey());
  }
}
