package org.modeltracer.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Arrays;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** Statistics against exact decimal arithmetic. */
class RunningStatsTest {
  private static final MathContext EXACT = new MathContext(60);

  @Test
  void offsetDataKeepsItsDeviationToSixDigits() {
    float[] values = new float[100_000];
    for (int i = 0; i < values.length; i++) {
      values[i] = 1e9f + i;
    }
    assertMatches(values);
  }

  @Test
  void aFirstOutlierDoesNotSpoilTheRest() {
    Random random = new Random(1);
    float[] values = new float[5000];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    values[0] = 1e12f;
    assertMatches(values);
  }

  @Test
  void manySizesAndScales() {
    Random random = new Random(2);
    for (int size : new int[] {1, 2, 3, 1023, 1024, 1025, 2048, 5000}) {
      float[] values = new float[size];
      double scale = Math.pow(10, random.nextInt(60) - 30);
      double offset = random.nextGaussian() * scale * 10;
      for (int i = 0; i < size; i++) {
        values[i] = (float) (offset + scale * random.nextGaussian());
      }
      assertMatches(values);
    }
  }

  @Test
  void badValuesAreCountedAndLeftOut() {
    Random random = new Random(3);
    float[] values = new float[3000];
    float[] finite = new float[3000];
    int good = 0;
    int nan = 0;
    int inf = 0;
    int first = -1;
    for (int i = 0; i < values.length; i++) {
      int dice = i < 1500 ? 9 : random.nextInt(10);
      values[i] =
          switch (dice) {
            case 0 -> Float.NaN;
            case 1 -> Float.POSITIVE_INFINITY;
            case 2 -> Float.NEGATIVE_INFINITY;
            default -> random.nextFloat();
          };
      if (dice == 0) {
        nan++;
      } else if (dice < 3) {
        inf++;
      } else {
        finite[good++] = values[i];
      }
      if (first < 0 && dice < 3) {
        first = i;
      }
    }
    RunningStats stats = of(values, 0, values.length);
    TensorStats expected = TensorStats.of(Arrays.copyOf(finite, good));
    assertThat(stats.nan()).isEqualTo(nan).isPositive();
    assertThat(stats.inf()).isEqualTo(inf).isPositive();
    assertThat(stats.firstBad()).isEqualTo(first);
    assertThat(stats.bad()).isTrue();
    assertThat(stats.snapshot().mean()).isCloseTo(expected.mean(), within(1e-12));
    assertThat(stats.std()).isCloseTo(expected.std(), within(1e-12));
    assertThat(stats.snapshot().max()).isEqualTo(expected.max());
  }

  @Test
  void nothingFiniteHasNoMoments() {
    RunningStats stats = of(new float[] {Float.NaN, Float.NEGATIVE_INFINITY}, 0, 2);
    TensorStats snapshot = stats.snapshot();
    assertThat(snapshot.mean()).isNaN();
    assertThat(snapshot.std()).isNaN();
    assertThat(stats.absMax()).isZero();
    assertThat(stats.firstBad()).isZero();
    stats.reset();
    assertThat(stats.count()).isZero();
    assertThat(stats.firstBad()).isEqualTo(-1);
  }

  @Test
  void mergingPartsEqualsTheWhole() {
    Random random = new Random(4);
    for (int round = 0; round < 200; round++) {
      float[] values = new float[1 + random.nextInt(3000)];
      for (int i = 0; i < values.length; i++) {
        values[i] =
            random.nextInt(500) == 0 ? Float.NaN : (float) (1e6 + 10 * random.nextGaussian());
      }
      int cut = random.nextInt(values.length + 1);
      RunningStats merged = of(values, 0, cut);
      merged.merge(of(values, cut, values.length - cut));
      RunningStats whole = of(values, 0, values.length);
      assertThat(merged.count()).isEqualTo(whole.count());
      assertThat(merged.nan()).isEqualTo(whole.nan());
      assertThat(merged.zero()).isEqualTo(whole.zero());
      assertThat(merged.firstBad()).isEqualTo(whole.firstBad());
      assertThat(merged.absMax()).isEqualTo(whole.absMax());
      assertThat(merged.std()).isCloseTo(whole.std(), within(1e-9 * (1 + whole.std())));
      assertThat(merged.l2()).isCloseTo(whole.l2(), within(1e-9 * (1 + whole.l2())));
    }
  }

  @Test
  void zerosAreCounted() {
    assertThat(of(new float[] {0f, -0f, 1f}, 0, 3).zero()).isEqualTo(2);
  }

  private static RunningStats of(float[] values, int from, int n) {
    RunningStats stats = new RunningStats();
    stats.add(MemorySegment.ofArray(values), 4L * from, n);
    return stats;
  }

  private static void assertMatches(float[] values) {
    BigDecimal sum = BigDecimal.ZERO;
    BigDecimal squares = BigDecimal.ZERO;
    for (float value : values) {
      BigDecimal x = new BigDecimal(value);
      sum = sum.add(x);
      squares = squares.add(x.multiply(x));
    }
    BigDecimal n = new BigDecimal(values.length);
    BigDecimal mean = sum.divide(n, EXACT);
    BigDecimal variance = squares.divide(n, EXACT).subtract(mean.multiply(mean), EXACT);
    double std = variance.max(BigDecimal.ZERO).sqrt(EXACT).doubleValue();
    TensorStats stats = TensorStats.of(values);
    assertThat(stats.mean()).isCloseTo(mean.doubleValue(), relative(mean.doubleValue()));
    assertThat(stats.std()).isCloseTo(std, relative(std));
    double l2 = squares.sqrt(EXACT).doubleValue();
    assertThat(stats.l2()).isCloseTo(l2, relative(l2));
  }

  private static Offset<Double> relative(double x) {
    return within(1e-6 * Math.abs(x) + Double.MIN_NORMAL);
  }
}
