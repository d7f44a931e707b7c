package org.modeltracer.attention;

/**
 * Where one head looks around the latest earlier copy of a query's token: mean weight by offset.
 *
 * <p>Offset 0 is the copy itself, 1 what followed it (induction), 2 what came after that. A row
 * counts where the key is in sight and before the query.
 */
public final class MatchOffsets {
  /** Largest offset either way. */
  public static final int REACH = 8;

  private final double[] sum = new double[2 * REACH + 1];
  private final long[] rows = new long[2 * REACH + 1];

  void add(RowMeasure row, TokenTrack tokens) {
    int copy = tokens.earlier(row.query);
    if (copy < 0) {
      return;
    }
    for (int i = 0; i < sum.length && copy + i - REACH < row.query; i++) {
      double weight = row.weightAt(copy + i - REACH);
      if (weight == weight) {
        sum[i] += weight;
        rows[i]++;
      }
    }
  }

  MatchOffsets merge(MatchOffsets other) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] += other.sum[i];
      rows[i] += other.rows[i];
    }
    return this;
  }

  /** Mean weight at an offset, 0 when no row has such a key. */
  public double weight(int offset) {
    int i = offset + REACH;
    return rows[i] == 0 ? 0 : sum[i] / rows[i];
  }

  /** The offset other than 0 and 1 with the largest mean weight, 2 when there is none. */
  public int strongest() {
    int best = 2;
    for (int offset = -REACH; offset <= REACH; offset++) {
      if (offset != 0 && offset != 1 && weight(offset) > weight(best)) best = offset;
    }
    return best;
  }
}
