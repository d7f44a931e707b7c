package org.modeltracer.attention.report;

import java.util.NavigableMap;
import java.util.TreeMap;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.Quantity;
import org.modeltracer.attention.RowTotals;
import org.modeltracer.model.HeadId;

/**
 * Scores of a head on the probe: mean weights over rows, each in [0, 1].
 *
 * <p>The probe is {@code [BOS] + r + r + r} with r distinct random tokens, any number of sequences.
 *
 * @param previousToken weight on the position before
 * @param induction weight on what followed the latest earlier copy
 * @param duplicateToken weight on the latest earlier copy
 * @param sink weight of later queries on position 0
 * @param self weight on the own position
 * @param local mass on the last few tokens
 * @param global mass far back
 * @param retrieval share of copying rows whose argmax is the token to be copied
 * @param positional share of rows whose argmax lies at {@code offset}
 * @param offset the offset that most argmaxes share
 * @param rows rows with more than one visible key
 * @param copyRows rows whose token has an earlier copy
 */
public record HeadScores(
    double previousToken,
    double induction,
    double duplicateToken,
    double sink,
    double self,
    double local,
    double global,
    double retrieval,
    double positional,
    int offset,
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
    return new HeadScores(
        rows.meanOrZero(Quantity.PREVIOUS_TOKEN),
        rows.meanOrZero(Quantity.INDUCTION),
        rows.meanOrZero(Quantity.DUPLICATE_TOKEN),
        rows.meanOrZero(Quantity.SINK),
        rows.meanOrZero(Quantity.SELF),
        rows.meanOrZero(Quantity.LOCAL),
        rows.meanOrZero(Quantity.GLOBAL),
        rows.meanOrZero(Quantity.RETRIEVAL),
        head.offsetShare(),
        head.positions().commonOffset(),
        rows.rowsWithChoice(),
        rows.count(Quantity.COPIES));
  }

  /**
   * The label: the largest of previous-token, induction, duplicate-token and self when it has half
   * of the mass, else a fixed offset in 90 % of rows, else a sink above 0.3 (Gu et al. 2024), else
   * local or global with half of the mass, else mixed.
   */
  public HeadLabel label() {
    double[] specific = {previousToken, induction, duplicateToken, self};
    HeadLabel[] labels = {
      HeadLabel.PREVIOUS_TOKEN, HeadLabel.INDUCTION, HeadLabel.DUPLICATE_TOKEN, HeadLabel.SELF
    };
    int best = 0;
    for (int i = 1; i < specific.length; i++) {
      if (specific[i] > specific[best]) best = i;
    }
    if (specific[best] >= MOST) return labels[best];
    if (positional >= FIXED) return HeadLabel.POSITIONAL;
    if (sink > SINK) return HeadLabel.SINK;
    if (local >= MOST) return HeadLabel.LOCAL;
    return global >= MOST ? HeadLabel.GLOBAL : HeadLabel.MIXED;
  }
}
