package org.modeltracer.attention.report;

import org.modeltracer.attention.Quantity;
import org.modeltracer.attention.RowTotals;

/** What chance alone would give, and how little is too little to tell. */
public final class Chance {
  /**
   * Rows, at least, behind a score and a label.
   *
   * <p>The sharpest heads of random weights pick their keys at random, and all rows of a text pick
   * the same: in short texts that looks like a purpose. Of 4,800 such heads and texts of 36 to 100
   * tokens none got a label.
   */
  public static final int FEWEST_ROWS = 32;

  /** Rows, or positions, at least, behind a comparison of two heads. */
  static final int FEWEST_COMPARED = 16;

  /** What has a larger chance of coming from nothing is not said. */
  static final double LARGEST = 0.05;

  /**
   * Layers, at least, behind a trend: a perfect order of four, either way, has the chance 2 / 4! or
   * 0.083, one of five 0.017.
   */
  static final int FEWEST_LAYERS = 5;

  private Chance() {}

  /** How far a mass lies from what is expected, 0, to all there is, 1; 0 when it lies below. */
  public static double excess(double observed, double expected) {
    return expected < 1 && observed > expected ? (observed - expected) / (1 - expected) : 0;
  }

  /** Excess of a mean mass over its share under uniform attention to the keys of the same rows. */
  static double excess(RowTotals rows, Quantity mass, Quantity uniform) {
    return excess(mean(rows, mass), rows.meanOrZero(uniform));
  }

  /** Mean of a quantity over the rows that define it, 0 when they are too few to tell. */
  static double mean(RowTotals rows, Quantity quantity) {
    return rows.count(quantity) < FEWEST_ROWS ? 0 : rows.mean(quantity);
  }
}
