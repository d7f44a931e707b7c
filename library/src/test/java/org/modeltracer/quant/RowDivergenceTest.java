package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class RowDivergenceTest {
  private static RowDivergence of(float[] reference, float[] other) {
    var rows = new RowDivergence();
    rows.add(reference, other, reference.length);
    return rows;
  }

  @Test
  void equalRowsDoNotDivergeAndDisjointOnesDivergeByLnTwo() {
    float[] row = {0.5f, 0.25f, 0.25f, 0};
    assertThat(of(row, row).mean()).isZero();
    assertThat(of(new float[] {0, 1, 0}, new float[] {1, 0, 0}).mean())
        .isCloseTo(Math.log(2), within(1e-12));
  }

  @Test
  void isTheEntropyOfTheMixtureLessTheMeanEntropy() {
    var random = new Random(3);
    var rows = new RowDivergence();
    double sum = 0;
    double max = 0;
    for (int n = 2; n < 30; n++) {
      float[] p = distribution(random, n);
      float[] q = distribution(random, n);
      float[] m = new float[n];
      for (int i = 0; i < n; i++) {
        m[i] = (p[i] + q[i]) / 2;
      }
      double expected = entropy(m) - (entropy(p) + entropy(q)) / 2;
      rows.add(p, q, n);
      sum += expected;
      max = Math.max(max, expected);
    }
    assertThat(rows.rows()).isEqualTo(28);
    assertThat(rows.mean()).isCloseTo(sum / 28, within(1e-6));
    assertThat(rows.max()).isCloseTo(max, within(1e-6));
  }

  private static float[] distribution(Random random, int n) {
    float[] values = new float[n];
    float sum = 0;
    for (int i = 0; i < n; i++) {
      values[i] = random.nextFloat();
      sum += values[i];
    }
    for (int i = 0; i < n; i++) {
      values[i] /= sum;
    }
    return values;
  }

  private static double entropy(float[] p) {
    double h = 0;
    for (float x : p) {
      h -= x * Math.log(x);
    }
    return h;
  }

  @Test
  void rowsThatSayNothingDoNotCount() {
    assertThat(of(new float[] {1, 0}, new float[] {1, 0}).rows()).isZero();
    assertThat(of(new float[] {Float.NaN, 0}, new float[] {0.5f, 0.5f}).rows()).isZero();
    assertThat(new RowDivergence().mean()).isNaN();
  }
}
