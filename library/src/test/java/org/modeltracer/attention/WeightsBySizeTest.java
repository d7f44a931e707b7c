package org.modeltracer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Against a sort, on rows of any shape that follow each other in one object. */
class WeightsBySizeTest {
  private final Random random = new Random(16);

  @Test
  void findsWhatASortFinds() {
    var bySize = new WeightsBySize();
    for (int round = 0; round < 2000; round++) {
      int n = 1 + random.nextInt(200);
      double sharpness = new double[] {0, 0.1, 1, 5, 30}[random.nextInt(5)];
      float[] weights = new float[n + 3];
      double[] scores = random.doubles(n, -4, 0).map(s -> Math.exp(sharpness * s)).toArray();
      double sum = Arrays.stream(scores).sum();
      float max = 0;
      for (int i = 0; i < n; i++) {
        weights[i] = i > 0 && random.nextInt(9) == 0 ? 0 : (float) (scores[i] / sum);
        max = Math.max(max, weights[i]);
      }
      weights[n] = 2;
      float[] sorted = Arrays.copyOf(weights, n);
      Arrays.sort(sorted);
      double total = 0;
      for (float w : sorted) {
        total += w;
      }
      int most = 1 + random.nextInt(20);
      double largest = 0;
      int needed = 0;
      double held = 0;
      for (int i = n - 1; i >= 0; i--) {
        largest += n - i <= most ? sorted[i] : 0;
        if (held < 0.95 * total) {
          held += sorted[i];
          needed++;
        }
      }
      bySize.read(weights, n, max);
      assertThat(bySize.largest(most)).isEqualTo(largest, within(0.045 * largest + 1e-6));
      double found = bySize.needed(0.95 * total);
      // Where the sum is met exactly, rounding decides; else only the order inside a bin is
      // unknown.
      assertThat(found).isEqualTo(needed, within(1 + 0.05 * needed));
      assertThat(bySize.needed(1.001 * total + 1e-9)).isNaN();
    }
  }

  @Test
  void countsExactlyWhereWeightsDiffer() {
    var bySize = new WeightsBySize();
    float[] weights = {0.5f, 0.25f, 0.125f, 0.0625f, 0.0625f};
    bySize.read(weights, 5, 0.5f);
    assertThat(bySize.needed(0.5)).isEqualTo(1);
    assertThat(bySize.needed(0.75)).isEqualTo(2);
    assertThat(bySize.needed(0.8)).isEqualTo(3);
    assertThat(bySize.needed(0.94)).isEqualTo(5);
    assertThat(bySize.largest(2)).isEqualTo(0.75);
    assertThat(bySize.largest(9)).isEqualTo(1);
    bySize.read(new float[5], 5, 0);
    assertThat(bySize.needed(0)).isEqualTo(5);
  }
}
