package org.modeltracer.anomaly;

/**
 * What one head did so far, in constant memory.
 *
 * <p>The key that most rows look at is found by majority vote (Boyer and Moore 1981): it has at
 * least {@link #votes()} rows behind it.
 */
public final class HeadHistory {
  private long rows;
  private double entropySum;
  private int candidate;
  private long votes;

  /**
   * Takes a row with enough keys into account.
   *
   * @param normalizedEntropy entropy over ln k, 0 to 1
   * @param favourite token position of the key that holds nearly all weight, -1 when none does
   */
  public void accept(double normalizedEntropy, int favourite) {
    rows++;
    entropySum += normalizedEntropy;
    if (favourite >= 0 && votes == 0) {
      candidate = favourite;
      votes = 1;
    } else if (favourite >= 0 && favourite == candidate) {
      votes++;
    } else if (votes > 0) {
      votes--;
    }
  }

  /** Number of rows seen. */
  public long rows() {
    return rows;
  }

  /** Mean normalized entropy, 0 to 1; NaN before the first row. */
  public double meanEntropy() {
    return entropySum / rows;
  }

  /** Token position that most rows put nearly all weight on, if any position is so. */
  public int candidate() {
    return candidate;
  }

  /** Lower bound of the number of rows on {@link #candidate()}. */
  public long votes() {
    return votes;
  }
}
