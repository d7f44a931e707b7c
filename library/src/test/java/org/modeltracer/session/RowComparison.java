package org.modeltracer.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;

/** Rows of two runs of a model that may round differently. */
final class RowComparison {
  private static final double FIRST_LAYER = 2e-3;
  private static final double DEEPER = 1e-2;

  private RowComparison() {}

  /**
   * Requires every row to be within 2e-3 of the other run's in the first layer, within 1e-2 deeper
   * down, and to have the same largest weight wherever that one leads by more.
   *
   * @param sameKeys share of rows that must be over the same keys; the others are not compared
   */
  static void requireNear(Seen is, Seen want, double sameKeys) {
    assertThat(is.rows.keySet()).isEqualTo(want.rows.keySet());
    int first = is.rows.keySet().stream().mapToInt(Seen.RowId::layer).min().orElse(0);
    long compared = 0;
    for (var entry : is.rows.entrySet()) {
      Seen.Row row = entry.getValue();
      Seen.Row other = want.rows.get(entry.getKey());
      if (Arrays.equals(row.keys(), other.keys())) {
        compared++;
        double tolerance = entry.getKey().layer() == first ? FIRST_LAYER : DEEPER;
        requireNear(entry.getKey(), row.weights(), other.weights(), tolerance);
      }
    }
    assertThat(compared).isGreaterThanOrEqualTo((long) (sameKeys * is.rows.size()));
  }

  private static void requireNear(Object id, float[] is, float[] want, double tolerance) {
    double worst = 0;
    for (int i = 0; i < is.length; i++) {
      double d = Math.abs(is[i] - want[i]);
      worst = Double.isNaN(d) ? Double.POSITIVE_INFINITY : Math.max(worst, d);
    }
    assertThat(worst).as("%s", id).isLessThan(tolerance);
    int best = best(want);
    float[] rest = want.clone();
    rest[best] = Float.NEGATIVE_INFINITY;
    if (want.length > 1 && want[best] - rest[best(rest)] > tolerance) {
      assertThat(best(is)).as("%s", id).isEqualTo(best);
    }
  }

  private static int best(float[] row) {
    int best = 0;
    for (int i = 1; i < row.length; i++) {
      best = row[i] > row[best] ? i : best;
    }
    return best;
  }
}
