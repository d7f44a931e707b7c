package org.modeltracer.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;

class ErrorSumsTest {
  @RepeatedTest(20)
  void isTheDefinition(RepetitionInfo repetition) {
    var random = new Random(repetition.getCurrentRepetition());
    int rows = 1 + random.nextInt(6);
    int width = 3 + random.nextInt(40);
    float[][] reference = new float[rows][width];
    float[][] other = new float[rows][width];
    int massive = random.nextInt(width);
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < width; i++) {
        reference[r][i] = (float) random.nextGaussian();
        other[r][i] = reference[r][i] + (float) (0.1 * random.nextGaussian());
      }
    }
    reference[rows - 1][massive] = 5000;
    other[rows - 1][massive] = 4990;
    var whole = new ErrorSums(1, false);
    var sums = new ErrorSums(width, false);
    for (int r = 0; r < rows; r++) {
      double relative = sums.add(reference[r], other[r], width);
      whole.add(reference[r], other[r], width);
      TensorError row = error(new float[][] {reference[r]}, new float[][] {other[r]}, new BitSet());
      assertThat(relative).isCloseTo(row.relativeL2(), within(1e-12));
    }
    assertClose(sums.error(), error(reference, other, new BitSet()));
    assertClose(whole.error(), sums.error());
    assertThat(whole.withoutMassive()).isNull();
    assertThat(sums.massive()).containsExactly(massive);
    var left = new BitSet();
    left.set(massive);
    TensorError without = sums.withoutMassive();
    assertThat(without).isNotNull();
    assertClose(without, error(reference, other, left));
    assertThat(without.cosine()).isLessThan(sums.error().cosine());
  }

  private static void assertClose(TensorError found, TensorError expected) {
    assertThat(found.mse()).isCloseTo(expected.mse(), within(1e-9 * expected.mse()));
    assertThat(found.maxAbs()).isCloseTo(expected.maxAbs(), within(1e-6 * expected.maxAbs()));
    assertThat(found.relativeL2()).isCloseTo(expected.relativeL2(), within(1e-9));
    assertThat(found.cosine()).isCloseTo(expected.cosine(), within(1e-9));
    assertThat(found.snrDb()).isCloseTo(expected.snrDb(), within(1e-6));
  }

  /** As the books have it, in two passes. */
  private static TensorError error(float[][] reference, float[][] other, BitSet left) {
    double square = 0;
    double largest = 0;
    double signal = 0;
    double dot = 0;
    double norm = 0;
    int n = 0;
    for (int r = 0; r < reference.length; r++) {
      for (int i = 0; i < reference[r].length; i++) {
        if (!left.get(i)) {
          double e = (double) reference[r][i] - other[r][i];
          square += e * e;
          largest = Math.max(largest, Math.abs(e));
          signal += Math.pow(reference[r][i], 2);
          norm += Math.pow(other[r][i], 2);
          dot += (double) reference[r][i] * other[r][i];
          n++;
        }
      }
    }
    return new TensorError(
        square / n,
        largest,
        Math.sqrt(square) / Math.sqrt(signal),
        dot / Math.sqrt(signal) / Math.sqrt(norm),
        dot / signal,
        20 * Math.log10(Math.sqrt(signal) / Math.sqrt(square)));
  }

  @Test
  void largeIsNotMassiveUnlessTheRestIsSmall() {
    var sums = new ErrorSums(4, false);
    sums.add(new float[] {99, 0.01f, 0.01f, 0.01f}, new float[4], 4);
    sums.add(new float[] {5000, 6, 6, 6}, new float[4], 4);
    assertThat(sums.massive()).isEmpty();
    sums.add(new float[] {1, 0.1f, -101, 0.1f}, new float[4], 4);
    assertThat(sums.massive()).isEmpty();
    sums.add(new float[] {0.1f, 0.1f, -101, 0.1f}, new float[4], 4);
    assertThat(sums.massive()).containsExactly(2);
  }

  @Test
  void whatIsNotFiniteIsCountedAndLeftOut() {
    var sums = new ErrorSums(4, false);
    float inf = Float.POSITIVE_INFINITY;
    double relative =
        sums.add(new float[] {1, 2, -inf, 2}, new float[] {1, Float.NaN, -inf, inf}, 4);
    assertThat(relative).isNaN();
    assertThat(sums.broken()).isEqualTo(2);
    assertThat(sums.error().relativeL2()).isZero();
    assertThat(sums.error().cosine()).isEqualTo(1);
  }

  @Test
  void aZeroTensorHasNoDirection() {
    var sums = new ErrorSums(2, false);
    sums.add(new float[] {3, 4}, new float[2], 2);
    assertThat(sums.error().cosine()).isNaN();
    assertThat(sums.error().relativeL2()).isEqualTo(1);
    assertThat(sums.error().snrDb()).isZero();
    assertThat(sums.error().mse()).isEqualTo(12.5);
  }
}
