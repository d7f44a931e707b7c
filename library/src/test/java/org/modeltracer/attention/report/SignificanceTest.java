package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.Measure;
import org.modeltracer.attention.TokenKind;
import org.modeltracer.attention.TokenTrack;

/** Every p-value under its null: it is below a level no more often than that level says. */
class SignificanceTest {
  private static final double[] LEVELS = {0.1, 0.05, 0.01, 0.001};

  /** Five standard errors: no more than one of these tests in a million fails by chance. */
  private static final double ERRORS = 5;

  private static void assertLevels(int trials, ToDoubleFunction<Random> p, boolean exact) {
    var random = new Random(20261126);
    double[] values = new double[trials];
    for (int i = 0; i < trials; i++) {
      values[i] = p.applyAsDouble(random);
      assertThat(values[i]).isBetween(0.0, 1.0);
    }
    for (double level : LEVELS) {
      long below = 0;
      for (double value : values) below += value < level ? 1 : 0;
      double error = ERRORS * Math.sqrt(trials * level * (1 - level)) + 1;
      assertThat((double) below).as("below %s", level).isLessThan(trials * level + error);
      if (exact) {
        assertThat((double) below).as("below %s", level).isGreaterThan(trials * level - error);
      }
    }
  }

  private static double[] gaussians(Random random, int n) {
    return random.doubles(n).map(u -> random.nextGaussian()).toArray();
  }

  @Test
  void theBinomialTailIsSummed() {
    for (int n : new int[] {1, 7, 30}) {
      for (double p0 : new double[] {0.02, 0.3, 0.9}) {
        for (int k = 0; k <= n; k++) {
          double tail = 0;
          for (int i = k; i <= n; i++) {
            double term = 1;
            for (int j = 1; j <= i; j++) term *= (double) (n - i + j) / j;
            tail += term * Math.pow(p0, i) * Math.pow(1 - p0, n - i);
          }
          assertThat(Significance.successes(k, n, p0)).isEqualTo(tail, within(1e-12));
        }
      }
    }
  }

  @Test
  void means() {
    for (int n : new int[] {3, 10, 200}) {
      assertLevels(
          4_000,
          random -> {
            List<Double> values = new ArrayList<>();
            for (double x : gaussians(random, n)) values.add(7 + 2 * x);
            return Significance.meanAbove(Measure.of(values), 7);
          },
          true);
    }
  }

  @Test
  void correlations() {
    for (int n : new int[] {4, 12, 100}) {
      assertLevels(
          4_000,
          random ->
              Significance.correlationBeyond(
                  pearson(gaussians(random, n), gaussians(random, n)), n),
          true);
    }
  }

  private static double pearson(double[] x, double[] y) {
    double[] sums = new double[5];
    for (int i = 0; i < x.length; i++) {
      sums[0] += x[i];
      sums[1] += y[i];
      sums[2] += x[i] * x[i];
      sums[3] += y[i] * y[i];
      sums[4] += x[i] * y[i];
    }
    int n = x.length;
    return (sums[4] - sums[0] * sums[1] / n)
        / Math.sqrt((sums[2] - sums[0] * sums[0] / n) * (sums[3] - sums[1] * sums[1] / n));
  }

  @Test
  void trends() {
    for (int n : new int[] {2, 4, 5, 7, 8, 9, 24}) {
      assertLevels(
          n == 8 ? 300 : 3_000, random -> Significance.trendBeyond(gaussians(random, n)), n > 8);
    }
    assertThat(Significance.trendBeyond(new double[] {1, 2, 3, 4})).isEqualTo(2.0 / 24);
    assertThat(Significance.trendBeyond(new double[] {3, 3, 3, 3, 3})).isEqualTo(1);
    assertThat(Significance.trendBeyond(new double[] {5})).isEqualTo(1);
  }

  /** Two to four layers in perfect order are no trend, five are. */
  @Test
  void aTrendNeedsEnoughLayers() {
    for (int layers = 1; layers <= 8; layers++) {
      boolean enough = layers >= Chance.FEWEST_LAYERS;
      double[] ascending = IntStream.range(0, layers).asDoubleStream().toArray();
      assertThat(Significance.trendBeyond(ascending) <= Chance.LARGEST).isEqualTo(enough);
      var analysis = Reported.of(Matrices.collect(new TokenTrack(), sharper(layers)));
      var evolution = analysis.headSpecialization().specializationEvolution();
      assertThat(evolution.layerDistribution()).hasSize(layers);
      assertThat(evolution.trend())
          .isEqualTo(enough ? SpecializationEvolution.Trend.INCREASING : null);
      assertThat(
              analysis.absent().containsKey("head_specialization.specialization_evolution.trend"))
          .isNotEqualTo(enough);
      assertThat(
              analysis.attentionStats().insights().stream()
                  .anyMatch(i -> i.description().contains("attention narrows with depth")))
          .isEqualTo(enough);
    }
  }

  /** Heads that look back one token, the more the deeper. */
  private static float[][][][] sharper(int layers) {
    var attention = new float[layers][1][][];
    for (int l = 0; l < layers; l++) {
      double weight = Math.pow(3, l + 1);
      attention[l][0] = Matrices.matrix(60, (q, k) -> q - k == 1 ? weight : 1);
    }
    return attention;
  }

  /** Heads that know nothing of segments or periods, whatever else they do. */
  static Stream<Arguments> heads() {
    return Stream.of(
        head("previous token", 1_500, r -> (q, k) -> q - k == 1 ? 50 : 1),
        head("itself", 1_500, r -> (q, k) -> q == k ? 50 : r.nextDouble()),
        head("uniform", 500, r -> (q, k) -> 1),
        head("near keys", 1_500, r -> (q, k) -> Math.exp(-0.3 * (q - k) + r.nextGaussian())),
        head("far keys", 1_500, r -> (q, k) -> Math.exp(0.02 * (q - k) + r.nextGaussian())),
        head("first key", 1_500, r -> (q, k) -> k == 0 ? 30 : Math.exp(r.nextGaussian())),
        head("at random", 4_000, r -> (q, k) -> Math.exp(r.nextGaussian())),
        head("sharply at random", 4_000, r -> (q, k) -> Math.exp(3 * r.nextGaussian())));
  }

  private static Arguments head(String name, int trials, Function<Random, Matrices.Rule> rule) {
    return Arguments.of(name, trials, rule);
  }

  private static CollectedAttention collected(Random random, Matrices.Rule rule, int n) {
    var layer = new float[][][] {Matrices.matrix(n, rule)};
    return Matrices.collect(sentences(random, n), layer).collected();
  }

  /** Sentences of random lengths, 2 to about 20 tokens. */
  private static TokenTrack sentences(Random random, int n) {
    var track = new TokenTrack();
    int left = 2 + random.nextInt(12);
    for (int i = 0; i < n; i++) {
      boolean ends = --left == 0;
      String text = ends ? "." : " w" + i;
      track.append(i, text, TokenKind.of(text, false));
      left = ends ? 2 + random.nextInt(random.nextBoolean() ? 6 : 20) : left;
    }
    return track;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("heads")
  void segments(String name, int trials, Function<Random, Matrices.Rule> rule) {
    assertLevels(
        trials / 4,
        random -> {
          CollectedAttention collected = collected(random, rule.apply(random), 96);
          CollectedHead head = collected.heads().getFirst();
          return AttentionPatterns.block(head, collected.rows())
              .map(AttentionPatterns.Block::pValue)
              .orElse(1.0);
        },
        false);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("heads")
  void periods(String name, int trials, Function<Random, Matrices.Rule> rule) {
    assertLevels(
        trials / 4,
        random -> {
          CollectedAttention collected = collected(random, rule.apply(random), 96);
          return AttentionPatterns.repetitive(collected.heads().getFirst()).pValue();
        },
        false);
  }

  @Test
  void offsets() {
    assertLevels(
        1_000,
        random -> {
          CollectedAttention collected =
              collected(random, (q, k) -> Math.exp(3 * random.nextGaussian()), 48);
          LabelledHead head = LabelledHead.all(collected).getFirst();
          return Insights.anyOffset(head, head.collected().rows().chanceOfOneKey());
        },
        false);
  }
}
