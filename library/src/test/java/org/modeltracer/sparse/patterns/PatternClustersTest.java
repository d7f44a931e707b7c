package org.modeltracer.sparse.patterns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.HeadId;

/** Clusters of heads that were made alike, and of heads that were not. */
class PatternClustersTest {
  private static final int N = 160;

  private static float[][] noisy(Random random, Patterned.Rule rule) {
    return Patterned.causal(N, (q, k) -> rule.weight(q, k) * (0.5 + random.nextDouble()) + 1e-3);
  }

  /** Three kinds of heads in turn. */
  private static float[][][] heads(int each) {
    var random = new Random(9);
    var heads = new ArrayList<float[][]>();
    for (int i = 0; i < each; i++) {
      heads.add(noisy(random, (q, k) -> q - k == 1 ? 5 : 0));
      heads.add(noisy(random, (q, k) -> k == 0 ? 5 : 0));
      heads.add(noisy(random, (q, k) -> 1));
    }
    return heads.toArray(float[][][]::new);
  }

  @Test
  void headsOfThreeKindsAreThreeClusters() {
    PatternReport report = Patterned.report(heads(5));
    assertThat(report.clusters()).hasSize(3);
    assertThat(report.clusterChance()).isEqualTo(1 / 20.0);
    assertThat(report.clusters())
        .extracting(PatternCluster::kind)
        .containsExactly(PatternKind.DIAGONAL, PatternKind.SINK, PatternKind.GLOBAL);
    for (PatternCluster cluster : report.clusters()) {
      List<HeadId> expected =
          IntStream.range(0, 5).mapToObj(i -> new HeadId(0, 3 * i + cluster.clusterId())).toList();
      assertThat(cluster.heads()).isEqualTo(expected);
      assertThat(cluster.cohesion()).isGreaterThan(0.8);
    }
    PatternFeatures diagonal = report.clusters().getFirst().scores();
    double mean =
        report.heads().stream()
            .filter(head -> head.kind() == PatternKind.DIAGONAL)
            .mapToDouble(head -> head.scores().diagonal())
            .average()
            .orElseThrow();
    assertThat(diagonal.diagonal()).isEqualTo(mean, within(1e-12));
  }

  @Test
  void asManyAsAreAskedFor() {
    var trace = new PatternTrace(KeyCosts.unknown());
    trace.begin(KeyTokens.unknown());
    Patterned.feed(trace, 0, N, heads(3));
    assertThat(trace.report(2).clusters()).hasSize(2);
    assertThat(trace.report(4).clusters()).hasSize(4);
    assertThat(trace.report(50).clusters()).hasSize(9);
    assertThat(trace.report(4).clusterChance()).isNull();
  }

  /** Features drawn apart from each other have outliers, but no clusters. */
  @Test
  void unrelatedFeaturesAreNotClustered() {
    int believed = 0;
    for (int seed = 0; seed < 40; seed++) {
      var random = new Random(seed);
      double[][] features = new double[24][8];
      for (double[] head : features) {
        for (int f = 0; f < head.length; f++) {
          head[f] = Math.abs(random.nextGaussian());
        }
      }
      believed += PatternClusters.of(features, 0).believed() ? 1 : 0;
    }
    // One in twenty by construction.
    assertThat(believed).isLessThanOrEqualTo(5);
  }

  @Test
  void aFeatureThatHardlyDiffersIsNotScaledUp() {
    var random = new Random(2);
    double[][] features = new double[20][2];
    double[][] alone = new double[20][1];
    for (int h = 0; h < features.length; h++) {
      features[h][0] = h % 2 + 0.1 * random.nextDouble();
      features[h][1] = 0.01 * random.nextDouble();
      alone[h][0] = features[h][0];
    }
    assertThat(PatternClusters.of(features, 2).partition().clusters())
        .containsExactly(PatternClusters.of(alone, 2).partition().clusters());
    assertThat(PatternClusters.of(features, 2).partition().mean())
        .isEqualTo(PatternClusters.of(alone, 2).partition().mean());
  }

  @Test
  void twoHeadsAreNotCompared() {
    PatternReport report = Patterned.report(Patterned.random(80, 1, 1), Patterned.random(80, 2, 1));
    assertThat(report.clusters()).isEmpty();
    assertThat(report.absent()).containsEntry("clusters", "fewer than 3 heads");
  }
}
