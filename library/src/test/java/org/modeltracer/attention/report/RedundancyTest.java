package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.Comparator;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.attention.AttentionCollector;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.GoldenAttention;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.TokenTrack;
import org.modeltracer.attention.report.HeadRedundancy.EssentialHead;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.HeadId;
import org.modeltracer.model.ResidualChange;
import org.modeltracer.testing.Golden;

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

  /** Four heads in two groups of one layer, that write as much as told, for {@code N} tokens. */
  private static AttentionCollector writing(Random random, float... sizes) {
    var heads = new float[sizes.length][][];
    for (int h = 0; h < sizes.length; h++) heads[h] = Matrices.random(N, random, 2);
    var collector = Matrices.collect(new TokenTrack(), heads);
    for (int p = 0; p < N; p++) {
      for (int h = 0; h < sizes.length; h++) {
        double angle = 2 * Math.PI * random.nextDouble();
        float[] out = {
          sizes[h] * (float) Math.cos(angle), sizes[h] * (float) Math.sin(angle), 0, 0
        };
        collector.headOutput(0, 0, h, p, out, 0, 4);
      }
    }
    return collector;
  }

  private static HeadRedundancy redundancy(AttentionCollector collector) {
    return Reported.of(collector, COSTS).headSpecialization().redundancyAnalysis();
  }

  @Test
  void aGroupThatWritesNextToNothingIsACandidateByTheMeasuredBound() {
    var collector = writing(new Random(30), 0.05f, 0.05f, 1, 1);
    for (int p = 0; p < N; p++) collector.onResidual(0, new ResidualChange().add(8, 9, 20, 0.5));
    var advice = redundancy(collector).pruningRecommendations();
    assertThat(advice).hasSize(1);
    assertThat(advice.get(0).headToPrune()).isEqualTo(new HeadId(0, 0));
    assertThat(advice.get(0).verdict()).isEqualTo(Pruning.Verdict.CANDIDATE);
    assertThat(advice.get(0).normShare()).isEqualTo(0.1 / 2.1, within(1e-5));
    assertThat(advice.get(0).confidence()).isBetween(0.7, 0.95);
    var impact = advice.get(0).expectedImpact();
    assertThat(impact.residualShare()).isEqualTo(0.1 / 20, within(1e-6));
    assertThat(impact.riskLevel()).isEqualTo(Pruning.Risk.LOW);
    assertThat(impact.memorySavings()).isEqualTo(1000);
    assertThat(impact.computationalSavings()).isEqualTo(10);
    assertThat(advice.get(0).correlational()).isTrue();
    assertThat(advice.get(0).rows()).isEqualTo(2 * N);
  }

  /** The same writes beside ever smaller streams: every level of risk, and one verdict for LOW. */
  @ParameterizedTest
  @CsvSource({"20, LOW", "5, MEDIUM", "1, HIGH", "0.4, CRITICAL"})
  void riskIsThatOfTheMeasuredBound(double stream, Pruning.Risk risk) {
    var collector = writing(new Random(31), 0.05f, 0.05f, 1, 1);
    for (int p = 0; p < N; p++) {
      collector.onResidual(0, new ResidualChange().add(1, 1, stream, 0.5));
    }
    var advice = redundancy(collector).pruningRecommendations().get(0);
    assertThat(advice.expectedImpact().riskLevel()).isEqualTo(risk);
    assertThat(advice.verdict() == Pruning.Verdict.CANDIDATE).isEqualTo(risk == Pruning.Risk.LOW);
  }

  @Test
  void withoutABoundThereIsNotEnoughEvidence() {
    var advice = redundancy(writing(new Random(32), 0.05f, 0.05f, 1, 1)).pruningRecommendations();
    assertThat(advice.get(0).verdict()).isEqualTo(Pruning.Verdict.NOT_ENOUGH_EVIDENCE);
    assertThat(advice.get(0).expectedImpact().riskLevel()).isEqualTo(Pruning.Risk.UNKNOWN);
    assertThat(advice.get(0).expectedImpact().residualShare()).isNull();
    assertThat(advice.get(0).confidence()).isZero();
    assertThat(advice.get(0).reason()).contains("not enough evidence");
  }

  /** Each group does what the other does: one may go, and then the other must stay. */
  @Test
  void groupsThatStandInForEachOtherAreNotBothAdvised() {
    var random = new Random(33);
    var heads = new float[4][][];
    for (int h = 0; h < 4; h++) heads[h] = Matrices.random(N, random, 2);
    var collector = Matrices.collect(new TokenTrack(), heads);
    for (int p = 0; p < N; p++) {
      float x = (float) random.nextGaussian();
      float y = (float) random.nextGaussian();
      for (int h = 0; h < 4; h++) {
        collector.headOutput(
            0, 0, h, p, h % 2 == 0 ? new float[] {x, y} : new float[] {y, x}, 0, 2);
      }
      collector.onResidual(0, new ResidualChange().add(1, 1, 1000, 0.5));
    }
    assertThat(redundancy(collector).pruningRecommendations()).hasSize(1);
  }

  /** Bounds add up over layers: what comes later in the list is judged with all before it. */
  @Test
  void laterAdviceIsJudgedTogetherWithEarlier() {
    var random = new Random(34);
    var layers = new float[3][4][][];
    for (float[][][] layer : layers) {
      for (int h = 0; h < 4; h++) layer[h] = Matrices.random(N, random, 2);
    }
    var collector = Matrices.collect(new TokenTrack(), layers);
    for (int l = 0; l < 3; l++) {
      for (int p = 0; p < N; p++) {
        for (int h = 0; h < 4; h++) {
          float size = h < 2 ? 0.01f * (l + 1) : 1;
          double angle = 2 * Math.PI * random.nextDouble();
          float[] out = {size * (float) Math.cos(angle), size * (float) Math.sin(angle)};
          collector.headOutput(0, l, h, p, out, 0, 2);
        }
        collector.onResidual(l, new ResidualChange().add(1, 1, 8, 0.5));
      }
    }
    var advice = redundancy(collector).pruningRecommendations();
    assertThat(advice).extracting(r -> r.headToPrune().layer()).containsExactly(0, 1, 2);
    assertThat(advice)
        .extracting(r -> r.expectedImpact().residualShare())
        .usingComparatorForType(Comparator.comparingDouble(x -> Math.round(1e6 * x)), Double.class)
        .containsExactly(0.02 / 8, 0.06 / 8, 0.12 / 8);
    assertThat(advice)
        .extracting(Pruning.Recommendation::verdict)
        .containsExactly(
            Pruning.Verdict.CANDIDATE,
            Pruning.Verdict.CANDIDATE,
            Pruning.Verdict.NOT_ENOUGH_EVIDENCE);
  }

  @Test
  void headsThatWriteMuchOrHaveARoleAreEssentialHoweverFewTheGroups() {
    var random = new Random(35);
    var previous = Matrices.matrix(N, (q, k) -> k == q - 1 ? 1 : 0);
    var heads =
        new float[][][] {
          previous,
          Matrices.random(N, random, 2),
          Matrices.random(N, random, 2),
          Matrices.random(N, random, 2)
        };
    var collector = Matrices.collect(new TokenTrack(), heads);
    float[] sizes = {1, 1, 3, 1};
    for (int p = 0; p < N; p++) {
      for (int h = 0; h < 4; h++) {
        collector.headOutput(0, 0, h, p, new float[] {sizes[h], p % 3}, 0, 1);
      }
    }
    var redundancy = redundancy(collector);
    assertThat(redundancy.essentialHeads())
        .extracting(EssentialHead::id)
        .containsExactly(new HeadId(0, 0), new HeadId(0, 2));
    assertThat(redundancy.essentialHeads().get(0).reason()).contains("1 back");
    assertThat(redundancy.essentialHeads().get(1).reason()).contains("3.0 times");
    assertThat(redundancy.pruningRecommendations()).isEmpty();
  }

  /** Two heads that rest on position 0 in most rows and look anywhere in the rest. */
  @Test
  void rowsThatRestOnPositionZeroAreNoLikeness() {
    int n = 200;
    var random = new Random(36);
    var heads = new float[2][][];
    for (int h = 0; h < 2; h++) {
      heads[h] =
          Matrices.matrix(
              n, (q, k) -> q % 5 != 0 ? (k == 0 ? 1 : 0) : Math.exp(2 * random.nextGaussian()));
    }
    var collector = Matrices.collect(new TokenTrack(), heads);
    var distances = HeadDistances.of(collector.collected(), Long.MAX_VALUE);
    assertThat(distances.rows()).isEqualTo(39);
    double sum = 0;
    for (int q = 5; q < n; q += 5) sum += pearson(heads[0][q], heads[1][q]);
    assertThat(distances.correlation().get(0, 1)).isEqualTo((float) (sum / 39), within(1e-5f));
    assertThat(Math.abs(sum / 39)).isLessThan(0.2);
    assertThat(redundancy(collector).redundantPairs()).isEmpty();
  }

  /** L2H4 and L2H5 of this model park on BOS in most rows: 0.94 with it, unrelated without. */
  @Test
  void trainedHeadsThatParkOnTheFirstTokenAreNotAlike() {
    var reference = GoldenAttention.load("tinyllama-gqa", "text64");
    Golden golden = reference.golden();
    int n = golden.ids().length;
    var collected = reference.collect(AttentionOptions.defaults()).collected();
    var distances = HeadDistances.of(collected, Long.MAX_VALUE);
    int pairs = 0;
    for (int a = 0; a < distances.heads().size(); a++) {
      for (int b = 0; b < a; b++) {
        HeadId one = distances.heads().get(a).id();
        HeadId two = distances.heads().get(b).id();
        double sum = 0;
        int rows = 0;
        for (int q = 2; q < n; q++) {
          float[] x = row(golden, one, q);
          float[] y = row(golden, two, q);
          if (elsewhere(x) < 1e-4 || elsewhere(y) < 1e-4) continue;
          double r = pearson(x, y);
          sum += Double.isFinite(r) ? r : 0;
          rows++;
        }
        assertThat(distances.pairRows().get(a, b)).as(one + " " + two).isEqualTo(rows);
        assertThat(distances.correlation().get(a, b))
            .as(one + " " + two)
            .isEqualTo((float) (sum / rows), within(1e-4f));
        pairs++;
      }
    }
    assertThat(pairs).isGreaterThan(300);
    var redundancy = redundancy(reference.collect(AttentionOptions.defaults()));
    assertThat(redundancy.redundantPairs())
        .noneSatisfy(
            pair -> {
              assertThat(pair.head1()).isEqualTo(new HeadId(2, 4));
              assertThat(pair.head2()).isEqualTo(new HeadId(2, 5));
            });
  }

  private static float[] row(Golden golden, HeadId head, int q) {
    float[] row = new float[q + 1];
    for (int k = 0; k <= q; k++) row[k] = golden.at("attn", head.layer(), head.head(), q, k);
    return row;
  }

  private static double elsewhere(float[] row) {
    double sum = 0;
    for (int k = 1; k < row.length; k++) sum += row[k];
    return sum;
  }

  private static double pearson(float[] a, float[] b) {
    int n = a.length - 1;
    double x = 0;
    double y = 0;
    double xx = 0;
    double yy = 0;
    double xy = 0;
    for (int i = 1; i <= n; i++) {
      x += a[i];
      y += b[i];
      xx += (double) a[i] * a[i];
      yy += (double) b[i] * b[i];
      xy += (double) a[i] * b[i];
    }
    return (xy - x * y / n) / Math.sqrt((xx - x * x / n) * (yy - y * y / n));
  }

  /** Keys that a window hides are no likeness either. */
  @Test
  void onlyKeysInSightCorrelate() {
    int n = 150;
    int window = 12;
    var random = new Random(37);
    var collector = new AttentionCollector(Matrices.shape(1, 2), AttentionOptions.defaults());
    collector.beginPrompt(0, 1, new TokenTrack());
    var row = new AttentionRow();
    for (int h = 0; h < 2; h++) {
      for (int q = 0; q < n; q++) {
        int first = Math.max(0, q - window + 1);
        float[] w = new float[q - first + 1];
        float sum = 0;
        for (int i = 0; i < w.length; i++) sum += w[i] = (float) Math.exp(random.nextGaussian());
        for (int i = 0; i < w.length; i++) w[i] /= sum;
        collector.row(row.at(0, h, 0, q, first, w.length, MemorySegment.ofArray(w), 0));
      }
    }
    collector.endForward();
    var distances = HeadDistances.of(collector.collected(), Long.MAX_VALUE);
    assertThat(distances.rows()).isGreaterThan(140);
    assertThat(Math.abs(distances.correlation().get(0, 1))).isLessThan(0.1f);
  }

  @Test
  void threeTokensYieldNoPairsButAReason() {
    var same = Matrices.matrix(4, (q, k) -> 1 + k);
    var result = Reported.of(Matrices.collect(new TokenTrack(), new float[][][] {same, same}));
    assertThat(result.headSpecialization().redundancyAnalysis().redundantPairs()).isEmpty();
    assertThat(result.headSpecialization().headClusters()).isEmpty();
    assertThat(result.headSpecialization().layerSpecialization().get(0))
        .containsExactly(null, null);
    assertThat(result.headSpecialization().specializationEvolution().trend()).isNull();
    assertThat(result.absent())
        .containsKeys(
            "head_specialization.layer_specialization", "head_specialization.head_clusters");
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
