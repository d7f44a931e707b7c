package org.modeltracer.sparse;

/**
 * Multiplications that a trace may make beside a run: so many for each query that tests a
 * selection. What costs more is paid off by the queries after it, which are passed over.
 */
final class Allowance {
  private final double each;
  private double left;

  /** An allowance of so many multiplications a query; infinity for any number. */
  Allowance(double each) {
    this.each = each;
  }

  boolean unlimited() {
    return each == Double.POSITIVE_INFINITY;
  }

  /** A query has come. */
  void earn() {
    left += each;
  }

  /** Takes what has been spent, though it may be more than there is. */
  void spend(double multiplications) {
    left -= multiplications;
  }

  /** Whether something is left when so many more queries have come. */
  boolean covers(int queries) {
    return unlimited() || left + queries * each >= 0;
  }
}
