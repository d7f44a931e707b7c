package org.modeltracer.attention;

import org.jspecify.annotations.Nullable;
import org.modeltracer.model.HeadId;

/**
 * What one head showed.
 *
 * @param id the head
 * @param index its place among all heads of the model, layer by layer
 * @param rows sums over its rows
 * @param positions where it looked
 * @param matches where it looked around earlier copies of a token
 * @param outputNorm norms of what it wrote, null when nothing was seen of that
 * @param tokenScores of the example prompt, null unless asked for
 */
public record CollectedHead(
    HeadId id,
    int index,
    RowTotals rows,
    PositionCounters positions,
    MatchOffsets matches,
    @Nullable Measure outputNorm,
    @Nullable TokenScores tokenScores) {
  /** Share of the rows with a choice whose largest weight lies at the most common offset. */
  public double offsetShare() {
    long choices = rows.rowsWithChoice();
    return choices == 0 ? 0 : (double) positions.argmaxAt(positions.commonOffset()) / choices;
  }

  /** Mean norm of what it wrote, NaN when nothing was seen of that. */
  public double meanOutputNorm() {
    return outputNorm == null ? Double.NaN : outputNorm.mean();
  }
}
