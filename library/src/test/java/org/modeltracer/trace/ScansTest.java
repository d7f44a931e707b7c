package org.modeltracer.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.AttentionRow;

/** The one-pass scans of rows and logits against sorting and plain sums. */
class ScansTest {
  private final Random random = new Random(11);

  @Test
  void topKEqualsSorting() {
    for (int round = 0; round < 200; round++) {
      double[] values = random.ints(1 + random.nextInt(50), 0, 20).asDoubleStream().toArray();
      int k = 1 + random.nextInt(12);
      TopK top = new TopK(k);
      IntStream.range(0, values.length).forEach(i -> top.offer(i, values[i]));
      List<Integer> expected = descending(values).limit(k).boxed().toList();
      assertThat(IntStream.range(0, top.size()).map(top::index).boxed().toList())
          .isEqualTo(expected);
    }
  }

  /** Weights in floats may sum to a little more than 1: no entropy is below 0 or above ln k. */
  @Test
  void entropiesStayInTheirRange() {
    for (int round = 0; round < 2000; round++) {
      int size = 1 + random.nextInt(40);
      float[] weights = new float[size];
      if (random.nextBoolean()) {
        weights[random.nextInt(size)] = Math.nextUp(1f) + round % 3 * 1e-7f;
      } else {
        Arrays.fill(weights, Math.nextUp(1f / size));
      }
      var row =
          new AttentionRow().at(0, 0, 0, size - 1, 0, size, MemorySegment.ofArray(weights), 0);
      var scan = new RowScan(5, 0.05);
      scan.scan(row);
      AttentionWeightTrace trace = scan.trace(row, 0.999);
      assertThat(trace.entropy()).isBetween(0.0, Math.log(size) + 1e-5);
      if (size > 1) assertThat(trace.normalizedEntropy()).isBetween(0.0, 1.0);
      float[] scores = new float[size];
      scores[random.nextInt(size)] = 1000 * random.nextFloat();
      var logits = new LogitScan();
      logits.scan(MemorySegment.ofArray(scores), 0, size, new TopK(3));
      assertThat(logits.entropy()).isBetween(0.0, Math.log(size) + 1e-9);
    }
  }

  @Test
  void rowsEqualPlainSums() {
    for (int round = 0; round < 200; round++) {
      int size = 1 + random.nextInt(60);
      int first = random.nextInt(3);
      float[] weights = distribution(size);
      AttentionRow row =
          new AttentionRow()
              .at(1, 2, 0, first + size - 1, first, size, MemorySegment.ofArray(weights), 0);
      RowScan scan = new RowScan(5, 0.05);
      scan.scan(row);
      double entropy = 0;
      double recent = 0;
      double sum = 0;
      for (int i = 0; i < size; i++) {
        double a = weights[i];
        sum += a;
        entropy -= a == 0 ? 0 : a * Math.log(a);
        recent += size - i <= 4 ? a : 0;
      }
      double[] wide = IntStream.range(0, size).mapToDouble(i -> weights[i]).toArray();
      List<Integer> expected =
          descending(wide)
              .limit(5)
              .filter(i -> weights[i] >= 0.05)
              .map(i -> i + first)
              .boxed()
              .toList();
      AttentionWeightTrace trace = scan.trace(row, 0.999);
      assertThat(scan.sum).isCloseTo(1, within(1e-5));
      // What the kernels promise.
      assertThat(trace.entropy()).isCloseTo(entropy, within(1e-6 * (1 + entropy)));
      assertThat(trace.recency()).isCloseTo(recent, within(1e-12));
      assertThat(trace.sinkMass()).isEqualTo(first == 0 ? weights[0] : 0.0);
      assertThat(trace.topKPositions()).isEqualTo(expected);
      double listed = trace.topKWeights().stream().mapToDouble(d -> d).sum();
      assertThat(trace.tailMass()).isCloseTo(sum - listed, within(1e-6));
      if (size > 1) {
        assertThat(trace.normalizedEntropy()).isCloseTo(entropy / Math.log(size), within(2e-6));
      } else {
        assertThat(trace.normalizedEntropy()).isNaN();
      }
    }
  }

  @Test
  void logitsEqualAPlainSoftmax() {
    for (int round = 0; round < 100; round++) {
      int vocabulary = 2 + random.nextInt(300);
      float[] logits = new float[vocabulary];
      for (int i = 0; i < vocabulary; i++) {
        boolean forbidden = i > 0 && random.nextInt(20) == 0;
        logits[i] = forbidden ? Float.NEGATIVE_INFINITY : random.nextInt(41) - 20;
      }
      TopK top = new TopK(7);
      LogitScan scan = new LogitScan();
      scan.scan(MemorySegment.ofArray(logits), 0, vocabulary, top);
      double z = 0;
      for (float x : logits) {
        z += Math.exp(x);
      }
      double entropy = 0;
      for (float x : logits) {
        double p = Math.exp(x) / z;
        entropy -= p == 0 ? 0 : p * Math.log(p);
      }
      assertThat(scan.entropy).isCloseTo(entropy, within(1e-9));
      assertThat(scan.bad).isZero();
      double[] wide = IntStream.range(0, vocabulary).mapToDouble(i -> logits[i]).toArray();
      List<Integer> order = descending(wide).boxed().toList();
      for (int token = 0; token < vocabulary; token++) {
        assertThat(scan.rank(token)).isEqualTo(order.indexOf(token));
        assertThat(scan.probability(token)).isCloseTo(Math.exp(logits[token]) / z, within(1e-12));
      }
      assertThat(top.index(0)).isEqualTo(order.get(0));
    }
  }

  @Test
  void badLogitsAreCounted() {
    float[] logits = {1, Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 2};
    LogitScan scan = new LogitScan();
    scan.scan(MemorySegment.ofArray(logits), 0, 5, new TopK(1));
    assertThat(scan.bad).isEqualTo(2);
    assertThat(scan.finite).isEqualTo(2);
    assertThat(scan.constant).isFalse();
  }

  @Test
  void aSampleKeepsEachWithTheSameChanceWhicheverPartItCameIn() {
    int[] kept = new int[100];
    for (int seed = 0; seed < 4000; seed++) {
      BottomSample<Integer> whole = new BottomSample<>(10, seed);
      BottomSample<Integer> even = new BottomSample<>(10, seed);
      BottomSample<Integer> odd = new BottomSample<>(10, seed);
      for (int i = 0; i < 100; i++) {
        offer(whole, i);
        offer(i % 2 == 0 ? even : odd, i);
      }
      assertThat(whole.kept()).hasSize(10).doesNotHaveDuplicates();
      assertThat(odd.with(even).kept()).isEqualTo(whole.kept());
      whole.kept().forEach(i -> kept[i]++);
    }
    // Binomial(4000, 0.1): mean 400, standard deviation 19.
    assertThat(IntStream.of(kept).boxed()).allSatisfy(n -> assertThat(n).isBetween(310, 490));
  }

  private static void offer(BottomSample<Integer> sample, int number) {
    if (sample.admits(number)) {
      sample.keep(number);
    }
  }

  private IntStream descending(double[] values) {
    return IntStream.range(0, values.length)
        .boxed()
        .sorted(Comparator.<Integer>comparingDouble(i -> -values[i]).thenComparing(i -> i))
        .mapToInt(i -> i);
  }

  private float[] distribution(int size) {
    float[] weights = new float[size];
    double sum = 0;
    for (int i = 0; i < size; i++) {
      weights[i] = random.nextInt(5) == 0 ? 0 : (float) Math.pow(random.nextDouble(), 4);
      sum += weights[i];
    }
    if (sum == 0) {
      weights[0] = 1;
      sum = 1;
    }
    for (int i = 0; i < size; i++) {
      weights[i] /= (float) sum;
    }
    return weights;
  }
}
