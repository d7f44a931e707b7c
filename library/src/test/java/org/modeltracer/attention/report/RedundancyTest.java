package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.TokenTrack;
import org.modeltracer.model.HeadId;

class RedundancyTest {
  private static final int N = 40;

  /** Two heads a group; a group's bytes and operations tell which group it is. */
  private static final HeadCosts COSTS =
      new HeadCosts() {
        @Override
        public int groups(int layer) {
          return 2;
        }

        @Override
        public int group(HeadId head) {
          return head.head() / 2;
        }

        @Override
        public long bytes(int layer, int group) {
          return 1000L + group;
        }

        @Override
        public double flops(int layer, int group) {
          return 10.0 + group;
        }
      };

  @Test
  void pairsGetTheirKind() {
    var random = new Random(3);
    var base = Matrices.random(N, random, 1.5);
    var blurred = Matrices.matrix(N, (q, k) -> base[q][k] + 0.3 / (q + 1));
    var other = Matrices.random(N, random, 1.5);
    var collector =
        Matrices.collect(new TokenTrack(), new float[][][] {base, base, blurred, other});
    float[][] vectors = new float[N][8];
    for (int p = 0; p < N; p++) {
      for (int i = 0; i < 8; i++) vectors[p][i] = (float) random.nextGaussian();
      float[] x = vectors[p];
      collector.headOutput(0, 0, 0, p, x, 0, 8);
      collector.headOutput(
          0, 0, 3, p, new float[] {0, x[1], x[0], x[3], x[2], x[5], x[4], x[7], x[6]}, 1, 8);
      for (int h = 1; h < 3; h++) {
        float[] noise = new float[8];
        for (int i = 0; i < 8; i++) noise[i] = (float) random.nextGaussian();
        collector.headOutput(0, 0, h, p, noise, 0, 8);
      }
    }
    var redundancy = Reported.of(collector, COSTS).headSpecialization().redundancyAnalysis();
    assertThat(kind(redundancy, 0, 1)).isEqualTo(HeadRedundancy.Type.IDENTICAL);
    assertThat(kind(redundancy, 0, 2)).isEqualTo(HeadRedundancy.Type.CORRELATED);
    assertThat(kind(redundancy, 0, 3)).isEqualTo(HeadRedundancy.Type.FUNCTIONAL);
    assertThat(kind(redundancy, 1, 3)).isNull();
    assertThat(redundancy.redundancyScore()).isEqualTo(1);
    assertThat(redundancy.redundantPairs().get(0).sameGroup()).isTrue();
    assertThat(redundancy.rows()).isGreaterThan(30);
  }

  @Test
  void ckaIgnoresRotationAndScaleAndIsNearZeroForStrangers() {
    var random = new Random(17);
    var one = Matrices.matrix(2, (q, k) -> 1);
    var collector = Matrices.collect(new TokenTrack(), new float[][][] {one, one, one});
    double angle = 0.7;
    for (int p = 0; p < 100; p++) {
      float x = (float) random.nextGaussian();
      float y = (float) random.nextGaussian();
      float u = (float) (3 * (Math.cos(angle) * x - Math.sin(angle) * y));
      float v = (float) (3 * (Math.sin(angle) * x + Math.cos(angle) * y));
      collector.headOutput(0, 0, 0, p, new float[] {x, y}, 0, 2);
      collector.headOutput(0, 0, 1, p, new float[] {u, v}, 0, 2);
      collector.headOutput(
          0,
          0,
          2,
          p,
          new float[] {(float) random.nextGaussian(), (float) random.nextGaussian()},
          0,
          2);
    }
    var collected = collector.collected();
    Cka cka = Cka.withinLayers(collected.heads(), collected.outputs());
    assertThat(cka.positions()).isEqualTo(99);
    assertThat(cka.between(0, 1)).isEqualTo(1, within(1e-5));
    assertThat(Math.abs(cka.between(0, 2))).isLessThan(0.1);
    assertThat(
            collected.heads().get(1).meanOutputNorm() / collected.heads().get(0).meanOutputNorm())
        .isEqualTo(3, within(1e-5));
  }

  @Test
  void pruningAdvisesTheGroupThatWritesLittleAndKeepsTheOneThatWritesMuch() {
    var random = new Random(30);
    var heads = new float[4][][];
    for (int h = 0; h < 4; h++) heads[h] = Matrices.random(N, random, 2);
    var collector = Matrices.collect(new TokenTrack(), heads);
    for (int p = 0; p < N; p++) {
      for (int h = 0; h < 4; h++) {
        float size = h < 2 ? 0.05f : 1;
        collector.headOutput(
            0, 0, h, p, new float[] {size * (float) random.nextGaussian(), size}, 0, 2);
      }
    }
    var redundancy = Reported.of(collector, COSTS).headSpecialization().redundancyAnalysis();
    var advice = redundancy.pruningRecommendations();
    assertThat(advice.get(0).headToPrune()).isEqualTo(new HeadId(0, 0));
    assertThat(advice.get(0).normShare()).isEqualTo(0.05 / 1.05, within(0.03));
    assertThat(advice.get(0).confidence()).isBetween(0.7, 0.95);
    assertThat(advice.get(0).expectedImpact().memorySavings()).isEqualTo(1000);
    assertThat(advice.get(0).expectedImpact().computationalSavings()).isEqualTo(10);
    assertThat(advice.get(0).expectedImpact().riskLevel()).isEqualTo(Pruning.Risk.LOW);
    assertThat(advice.get(0).correlational()).isTrue();
    assertThat(advice.get(0).rows()).isEqualTo(2 * N);
  }

  @Test
  void withoutTensorsThereIsNoAdviceButAReason() {
    var result = Reported.of(Matrices.collect(Matrices.matrix(9, (q, k) -> 1 + k)));
    assertThat(result.headSpecialization().redundancyAnalysis().pruningRecommendations()).isEmpty();
    assertThat(result.absent())
        .containsKey("head_specialization.redundancy_analysis.pruning_recommendations");
  }

  private static HeadRedundancy.Type kind(HeadRedundancy redundancy, int one, int two) {
    return redundancy.redundantPairs().stream()
        .filter(pair -> pair.head1().head() == one && pair.head2().head() == two)
        .map(HeadRedundancy.Pair::redundancyType)
        .findFirst()
        .orElse(null);
  }
}
