package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.TokenTrack;
import org.modeltracer.model.HeadId;

class ClustersTest {
  @Test
  void twoKindsOfHeadsAreTwoClusters() {
    var random = new Random(12);
    var heads = new float[6][][];
    for (int h = 0; h < 6; h++) {
      boolean near = h % 2 == 0;
      heads[h] =
          Matrices.matrix(
              40, (q, k) -> (near == q - k < 4 ? 20 : 1) * Math.exp(0.1 * random.nextGaussian()));
    }
    var result = Reported.of(Matrices.collect(new TokenTrack(), heads));
    var clusters = result.headSpecialization().headClusters();
    assertThat(clusters).hasSize(2);
    assertThat(clusters.get(0).heads())
        .containsExactly(new HeadId(0, 0), new HeadId(0, 2), new HeadId(0, 4));
    assertThat(clusters.get(0).cohesion()).isGreaterThan(0.8);
    assertThat(clusters.get(0).centroidPattern().stream().mapToDouble(x -> x).sum())
        .isEqualTo(1, within(1e-6));
  }

  @Test
  void randomHeadsHaveNone() {
    for (int seed = 0; seed < 20; seed++) {
      float[][][][] heads = Matrices.random(1, 16, 40, new Random(seed), 1 + seed % 3);
      var result = Reported.of(Matrices.collect(new TokenTrack(), heads));
      assertThat(result.headSpecialization().headClusters()).isEmpty();
      assertThat(result.absent().get("head_specialization.head_clusters")).startsWith("none found");
    }
  }

  @Test
  void identicalAndDisjointHeadsAreAtTheEndsOfTheScale() {
    var even = Matrices.matrix(30, (q, k) -> k > 0 && k % 2 == 0 ? 1 : 0);
    var odd = Matrices.matrix(30, (q, k) -> k % 2 == 1 ? 1 : 0);
    var collector = Matrices.collect(new TokenTrack(), new float[][][] {even, odd, even});
    var distances = HeadDistances.of(collector.collected(), 1L << 30);
    assertThat(distances.rows()).isGreaterThan(20);
    assertThat(distances.divergence().get(0, 2)).isEqualTo(0, within(1e-6f));
    assertThat(distances.similarity(0, 1)).isEqualTo(0, within(0.02));
    assertThat(distances.correlation().get(0, 2)).isEqualTo(1, within(1e-6f));
    var layer = Reported.of(collector).attentionWeights().get(0).layerPatterns();
    // three heads of two kinds: eigenvalues 2/3 and 1/3
    double two = Math.exp(-2.0 / 3 * Math.log(2.0 / 3) - 1.0 / 3 * Math.log(1.0 / 3)) / 3;
    assertThat(layer.diversity()).isEqualTo(two, within(0.02));
  }

  @Test
  void divergenceIsThatOfTheDefinition() {
    var random = new Random(5);
    var one = Matrices.random(20, random, 1);
    var two = Matrices.random(20, random, 1);
    var collector = Matrices.collect(new TokenTrack(), new float[][][] {one, two});
    var distances = HeadDistances.of(collector.collected(), 1L << 30);
    double sum = 0;
    for (int q = 2; q < 20; q++) {
      double js = 0;
      for (int k = 1; k <= q; k++) {
        double p = one[q][k] / (1 - one[q][0]);
        double r = two[q][k] / (1 - two[q][0]);
        double m = (p + r) / 2;
        js += 0.5 * p * Math.log(p / m) + 0.5 * r * Math.log(r / m);
      }
      sum += js;
    }
    assertThat(distances.rows()).isEqualTo(18);
    assertThat(distances.divergence().get(0, 1)).isEqualTo((float) (sum / 18), within(1e-5f));
  }

  /** Every merge of the remembered-neighbour algorithm against the naive definition. */
  @Test
  void averageLinkageIsThatOfTheDefinition() {
    var random = new Random(7);
    for (int round = 0; round < 30; round++) {
      int n = 2 + random.nextInt(9);
      double[][] d = new double[n][n];
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) d[i][j] = d[j][i] = random.nextDouble();
      }
      var distances = new PairValues(n);
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) distances.set(i, j, d[i][j]);
      }
      int[][] cuts = AverageLinkage.cuts(distances, n);
      for (int k = n; k > 1; k--) {
        assertThat(merged(d, cuts[k - 1])).isEqualTo(cuts[k - 2]);
      }
      heights(d, AverageLinkage.merges(distances));
    }
  }

  /** Each merge joins two that are there, at the mean distance between their members. */
  private static void heights(double[][] d, List<double[]> merges) {
    assertThat(merges).hasSize(d.length - 1);
    var members = new ArrayList<List<Integer>>();
    for (int i = 0; i < d.length; i++) {
      members.add(List.of(i));
    }
    double before = 0;
    for (double[] merge : merges) {
      List<Integer> one = members.set((int) merge[0], List.of());
      List<Integer> two = members.set((int) merge[1], List.of());
      assertThat(one).isNotEmpty();
      assertThat(two).isNotEmpty();
      double sum = 0;
      for (int a : one) {
        for (int b : two) {
          sum += d[a][b];
        }
      }
      assertThat(merge[2])
          .isEqualTo(sum / (one.size() * two.size()), within(1e-6))
          .isGreaterThanOrEqualTo(before);
      before = merge[2];
      var both = new ArrayList<>(one);
      both.addAll(two);
      members.add(both);
    }
    assertThat(members.getLast()).hasSize(d.length);
  }

  private static int[] merged(double[][] d, int[] labels) {
    int k = Arrays.stream(labels).max().orElseThrow() + 1;
    int bestA = 0;
    int bestB = 0;
    double best = Double.POSITIVE_INFINITY;
    for (int a = 0; a < k; a++) {
      for (int b = a + 1; b < k; b++) {
        double sum = 0;
        int count = 0;
        for (int i = 0; i < labels.length; i++) {
          for (int j = 0; j < labels.length; j++) {
            if (labels[i] == a && labels[j] == b) {
              sum += d[i][j];
              count++;
            }
          }
        }
        if (sum / count < best) {
          best = sum / count;
          bestA = a;
          bestB = b;
        }
      }
    }
    int[] out = new int[labels.length];
    for (int i = 0; i < out.length; i++) {
      int label = labels[i] == bestB ? bestA : labels[i];
      out[i] = label > bestB ? label - 1 : label;
    }
    return out;
  }
}
