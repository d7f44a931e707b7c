package org.modeltracer.attention.report;

import org.modeltracer.attention.Quantity;
import org.modeltracer.attention.RowTotals;

/** What chance alone would give, and how little is too little to tell. */
final class Chance {
  /**
   * Rows, at least, behind a label or a comparison of two heads.
   *
   * <p>Heads of models of random weights, whose sharpest rows pick keys at random, exceed half of
   * the way from uniform attention to all mass in up to 4 % of the scores of 8 rows, in none of 12.
   */
  static final int FEWEST_ROWS = 16;

  private Chance() {}

  /** How far a mass lies from what is expected, 0, to all there is, 1; 0 when it lies below. */
  static double excess(double observed, double expected) {
    return expected < 1 && observed > expected ? (observed - expected) / (1 - expected) : 0;
  }

  /** Excess of a mean mass over its share under uniform attention to the keys of the same rows. */
  static double excess(RowTotals rows, Quantity mass, Quantity uniform) {
    return excess(rows.meanOrZero(mass), rows.meanOrZero(uniform));
  }
}
