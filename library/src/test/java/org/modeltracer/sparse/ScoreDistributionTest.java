package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ScoreDistributionTest {
  @Test
  void momentsAreExactAndQuantilesCloseInPartsAsInOne() {
    var random = new Random(8);
    var values = new float[5001];
    var whole = new ScoreDistribution();
    var parts = new ScoreDistribution();
    var other = new ScoreDistribution();
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (3 * random.nextGaussian() - 1);
      whole.add(values[i]);
      (i % 3 == 0 ? parts : other).add(values[i]);
    }
    parts.merge(other);
    Arrays.sort(values);
    double mean = 0;
    for (float v : values) {
      mean += v / (double) values.length;
    }
    double variance = 0;
    for (float v : values) {
      variance += (v - mean) * (v - mean) / values.length;
    }
    for (ScoreDistribution distribution : new ScoreDistribution[] {whole, parts}) {
      ScoreSummary s = distribution.summary();
      assertThat(s.count()).isEqualTo(5001);
      assertThat(s.mean()).isCloseTo(mean, within(1e-9));
      assertThat(s.std()).isCloseTo(Math.sqrt(variance), within(1e-9));
      assertThat(s.min()).isEqualTo(values[0]);
      assertThat(s.max()).isEqualTo(values[5000]);
      double[] shares = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};
      for (double share : shares) {
        float exact = values[(int) Math.round(share * 5000)];
        assertThat(distribution.quantile(share))
            .isCloseTo(exact, within(Math.abs(exact) / 64 + 1e-6));
      }
    }
  }

  @Test
  void zerosAreCountedAndWhatIsNotFiniteIsNot() {
    var distribution = new ScoreDistribution();
    for (float v : new float[] {0, -0f, 1, Float.NaN, Float.POSITIVE_INFINITY, 0}) {
      distribution.add(v);
    }
    assertThat(distribution.summary().count()).isEqualTo(4);
    assertThat(distribution.summary().zero()).isEqualTo(0.75);
    assertThat(distribution.summary().median()).isZero();
    assertThat(new ScoreDistribution().summary()).isNull();
  }
}
