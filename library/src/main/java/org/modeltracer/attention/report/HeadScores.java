package org.modeltracer.attention.report;

import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.MatchOffsets;
import org.modeltracer.attention.Quantity;
import org.modeltracer.attention.RowTotals;
import org.modeltracer.model.HeadId;

/**
 * Scores of a head on the probe, each in [0, 1]: docs/definitions/heads.md.
 *
 * <p>The probe is {@code [BOS] + r + r + r} with r distinct random tokens, any number of sequences.
 * Rows that do not see the key in question do not count.
 *
 * @param previousToken mean weight on the position before
 * @param induction mean weight on what followed the latest earlier copy
 * @param duplicateToken mean weight on the latest earlier copy
 * @param shifted mean weight {@code shift} tokens after that copy
 * @param sink mean weight of later queries on position 0
 * @param self mean weight on the own position
 * @param local excess of the mass on the last few tokens over uniform attention
 * @param global excess of the mass far back over uniform attention
 * @param special excess of the mass on position 0 and special tokens over uniform attention
 * @param retrieval share of copying rows whose argmax is the token to be copied
 * @param positional share of rows whose argmax lies at {@code offset}
 * @param offset the offset that most argmaxes share
 * @param offsetExcess excess of the mean weight there over that of one key picked at random
 * @param shift place beside the copy, other than the copy and what followed it, with most weight
 * @param rows rows with more than one visible key
 * @param copyRows rows that see an earlier copy of their token
 */
public record HeadScores(
    double previousToken,
    double induction,
    double duplicateToken,
    double shifted,
    double sink,
    double self,
    double local,
    double global,
    double special,
    double retrieval,
    double positional,
    int offset,
    double offsetExcess,
    int shift,
    long rows,
    long copyRows) {
  private static final double MOST = 0.5;
  private static final double FIXED = 0.9;
  private static final double SINK = 0.3;

  /** Scores of every head that showed a row. */
  public static NavigableMap<HeadId, HeadScores> of(CollectedAttention collected) {
    var scores = new TreeMap<HeadId, HeadScores>();
    collected.heads().forEach(head -> scores.put(head.id(), of(head)));
    return scores;
  }

  private static HeadScores of(CollectedHead head) {
    RowTotals rows = head.rows();
    MatchOffsets matches = head.matches();
    return new HeadScores(
        rows.meanOrZero(Quantity.PREVIOUS_TOKEN),
        rows.meanOrZero(Quantity.INDUCTION),
        rows.meanOrZero(Quantity.DUPLICATE_TOKEN),
        matches.weight(matches.strongest()),
        rows.meanOrZero(Quantity.SINK),
        rows.meanOrZero(Quantity.SELF),
        Chance.excess(rows, Quantity.LOCAL, Quantity.LOCAL_BASE),
        Chance.excess(rows, Quantity.GLOBAL, Quantity.GLOBAL_BASE),
        Chance.excess(rows, Quantity.SPECIAL, Quantity.SPECIAL_BASE),
        rows.meanOrZero(Quantity.RETRIEVAL),
        head.offsetShare(),
        head.positions().commonOffset(),
        HeadSpecialization.offsetExcess(head),
        matches.strongest(),
        rows.rowsWithChoice(),
        rows.count(Quantity.COPIES));
  }

  /**
   * The label: the largest of previous-token, induction, duplicate-token, self and shifted
   * induction when it has half of the mass, else a fixed offset in 90 % of rows with half of the
   * mass, else a sink with 0.3 of it (Gu et al. 2024), else local or global with half of it, else
   * mixed. Of the last four, mass is what exceeds uniform attention. Null with fewer than 32 rows,
   * be it that the others are not finite.
   */
  public @Nullable HeadLabel label() {
    double[] specific = {previousToken, induction, duplicateToken, self, shifted};
    HeadLabel[] labels = {
      HeadLabel.PREVIOUS_TOKEN,
      HeadLabel.INDUCTION,
      HeadLabel.DUPLICATE_TOKEN,
      HeadLabel.SELF,
      HeadLabel.SHIFTED_INDUCTION
    };
    int best = 0;
    for (int i = 1; i < labels.length; i++) {
      if (specific[i] > specific[best]) best = i;
    }
    if (rows < Chance.FEWEST_ROWS) return null;
    if (specific[best] >= MOST) return labels[best];
    if (positional >= FIXED && offsetExcess >= MOST) return HeadLabel.POSITIONAL;
    if (special > SINK) return HeadLabel.SINK;
    if (local >= MOST) return HeadLabel.LOCAL;
    return global >= MOST ? HeadLabel.GLOBAL : HeadLabel.MIXED;
  }
}
