package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class RolloutAttributionTest {
  /** Against Â³, multiplied out. */
  @Test
  void uniformRolloutInLinearTimeIsThatOfUniformMatrices() {
    int n = 17;
    double[][] mixed = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j <= i; j++) mixed[i][j] = 0.5 / (i + 1) + (i == j ? 0.5 : 0);
    }
    double[][] cube = times(mixed, times(mixed, mixed));
    for (int q = 0; q < n; q++) {
      double[] row = RolloutAttribution.uniform(q, 3);
      for (int j = 0; j <= q; j++) {
        assertThat(row[j]).isEqualTo(cube[q][j], within(1e-12));
      }
    }
  }

  private static double[][] times(double[][] a, double[][] b) {
    int n = a.length;
    double[][] product = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        for (int k = 0; k < n; k++) product[i][k] += a[i][j] * b[j][k];
      }
    }
    return product;
  }
}
