package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.AttentionCollector;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.GoldenAttention;
import org.modeltracer.attention.LayerMeans;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.TokenKind;
import org.modeltracer.attention.TokenTrack;
import org.modeltracer.model.ResidualChange;
import org.modeltracer.testing.LayeredGraph;

class FlowTest {
  /** Max-flow equals the smallest cut over all subsets of nodes. */
  @Test
  void maxFlowIsTheMinimumOverAllCuts() {
    var random = new Random(21);
    for (int round = 0; round < 60; round++) {
      int n = 2 + random.nextInt(3);
      int layers = 1 + random.nextInt(3);
      var means = means(attention(round, layers, n, random, 2), n);
      int target = means.looksAhead() ? random.nextInt(n) : n - 1;
      int source = random.nextInt(n);
      var flow = MaxFlow.between(means, n, target, source);
      double brute = smallestCut(means, n, target, source);
      assertThat(flow.value()).isEqualTo(brute, within(1e-6));
      double cut = 0;
      for (double capacity : flow.cutByDepth()) cut += capacity;
      assertThat(cut).isEqualTo(brute, within(1e-6));
      assertThat(flow.value()).isLessThanOrEqualTo(flow.limit() + 1e-9);
    }
  }

  /** Against Edmonds and Karp, on graphs with every edge, in random and in trained attention. */
  @Test
  void maxFlowIsThatOfAnotherAlgorithm() {
    var random = new Random(2);
    for (int round = 0; round < 16; round++) {
      int n = 6 + random.nextInt(12);
      int layers = 1 + random.nextInt(5);
      var means = means(attention(round, layers, n, random, 1 + round % 4), n);
      int target = means.looksAhead() ? 0 : n - 1;
      for (int source : new int[] {0, n / 3, n - 2}) {
        assertThat(MaxFlow.between(means, n, target, source).value())
            .isEqualTo(edmondsKarp(means, n, target, source), within(1e-9));
      }
    }
    var example =
        GoldenAttention.load("tinyllama-gqa", "short")
            .collect(AttentionOptions.defaults())
            .collected()
            .example();
    LayerMeans means = Objects.requireNonNull(example).layers();
    int n = means.positions();
    for (int source : new int[] {0, 1, n / 2}) {
      assertThat(MaxFlow.between(means, n, n - 1, source).value())
          .isEqualTo(edmondsKarp(means, n, n - 1, source), within(1e-9));
    }
  }

  /** Under a causal mask, both ways, or one of each, in turn. */
  private static float[][][][] attention(
      int round, int layers, int n, Random random, double sharpness) {
    if (round % 3 == 0) return Matrices.random(layers, 2, n, random, sharpness);
    float[][][][] all = Matrices.bothWays(layers, 2, n, random, sharpness);
    if (round % 3 == 1 && layers > 1) {
      all[random.nextInt(layers)] = Matrices.random(1, 2, n, random, sharpness)[0];
    }
    return all;
  }

  private static double edmondsKarp(LayerMeans means, int n, int target, int source) {
    return LayeredGraph.of(means.depth(), n, means::mixed).edmondsKarp(target, source);
  }

  /** Of six alike layers one is made narrow, in each sense; without it nothing is. */
  @Test
  void aPlantedBottleneckIsFoundAndNoOther() {
    var random = new Random(8);
    assertThat(narrow(random, (q, k) -> Math.exp(random.nextGaussian()))).isEmpty();
    assertThat(narrow(random, (q, k) -> k == 0 ? 1 : 1e-4 * random.nextDouble()))
        .contains(AttentionFlow.BottleneckType.ATTENTION, AttentionFlow.BottleneckType.CAPACITY);
    assertThat(narrow(random, (q, k) -> k == 0 ? 1 : 1e-4 * random.nextDouble()))
        .doesNotContain(AttentionFlow.BottleneckType.FLOW);
  }

  /** Kinds of bottlenecks in layer 3 of 6, the only layer that may have one. */
  private static List<AttentionFlow.BottleneckType> narrow(Random random, Matrices.Rule third) {
    int n = 40;
    float[][][][] layers = Matrices.random(6, 2, n, random, 1);
    layers[3] = new float[][][] {Matrices.matrix(n, third), Matrices.matrix(n, third)};
    var flow = Reported.of(Matrices.collect(new TokenTrack(), layers)).attentionFlow();
    assertThat(flow.bottlenecks()).allMatch(neck -> neck.layer() == 3);
    return flow.bottlenecks().stream().map(AttentionFlow.Bottleneck::bottleneckType).toList();
  }

  /** Only position 5 leads on to position 2, and only by narrow edges of the middle layer. */
  @Test
  void aLayerThatHoldsTheFlowBackIsNamed() {
    int n = 40;
    var out = Matrices.matrix(n, (q, k) -> q == 5 ? (k == 2 ? 1 : 0) : k == q ? 1 : 0);
    var gate = Matrices.matrix(n, (q, k) -> k == q ? 1 : q > 5 && k == 5 ? 0.004 : 0);
    var open = Matrices.matrix(n, (q, k) -> k == q ? 1 : q > 5 && k == 5 ? 3 : 0);
    var spread = Matrices.matrix(n, (q, k) -> 1);
    assertThat(held(out, gate, spread)).containsExactly(1);
    assertThat(held(out, open, spread)).isEmpty();
  }

  private static List<Integer> held(float[][]... layers) {
    var collector =
        Matrices.collect(
            new TokenTrack(),
            Arrays.stream(layers).map(m -> new float[][][] {m}).toArray(float[][][][]::new));
    return Reported.of(collector).attentionFlow().bottlenecks().stream()
        .filter(neck -> neck.bottleneckType() == AttentionFlow.BottleneckType.FLOW)
        .map(AttentionFlow.Bottleneck::layer)
        .toList();
  }

  @Test
  void strongestPathBeatsEveryOther() {
    var random = new Random(4);
    for (int round = 0; round < 30; round++) {
      int n = 2 + random.nextInt(5);
      boolean ahead = round % 2 == 1;
      var means = means(random, n, ahead);
      int target = ahead ? 0 : n - 1;
      var paths = StrongestPath.from(target, n, means);
      for (int source = 0; source < n; source++) {
        double best = 0;
        for (int a = ahead ? 0 : source; a < n; a++) {
          for (int b = ahead ? 0 : source; b <= (ahead ? n - 1 : a); b++) {
            best =
                Math.max(best, new StrongestPath(new int[] {target, a, b, source}).strength(means));
          }
        }
        assertThat(paths.get(source).positions()[3]).isEqualTo(source);
        assertThat(paths.get(source).strength(means)).isEqualTo(best, within(1e-12));
      }
    }
  }

  /**
   * What a link carries is the sum, over all ways to the target that take it, of their products.
   */
  @Test
  void aLinkCarriesAllWaysThatTakeIt() {
    var random = new Random(6);
    for (int round = 0; round < 30; round++) {
      int n = 2 + random.nextInt(5);
      boolean ahead = round % 2 == 1;
      var means = means(random, n, ahead);
      int target = ahead ? 0 : n - 1;
      double[][][] carried = new double[3][n][n];
      for (int a = 0; a < n; a++) {
        for (int b = 0; b < (ahead ? n : a + 1); b++) {
          for (int source = 0; source < (ahead ? n : b + 1); source++) {
            double way = new StrongestPath(new int[] {target, a, b, source}).strength(means);
            carried[2][a][target] += way;
            carried[1][b][a] += way;
            carried[0][source][b] += way;
          }
        }
      }
      TokenFlow flow = TokenFlow.to(target, means);
      for (int d = 0; d < 3; d++) {
        double[][] told = new double[n][n];
        for (TokenFlow.Link link : flow.layers().get(d).links()) {
          told[Objects.requireNonNull(link.from())][Objects.requireNonNull(link.to())] =
              link.share();
        }
        for (int i = 0; i < n; i++) {
          assertThat(told[i]).containsExactly(carried[d][i], within(1e-12));
        }
      }
    }
  }

  /** Many positions: what enters a token leaves it, and below the first layer is the rollout. */
  @Test
  void flowIsConservedAndEndsInTheRollout() {
    for (int n : new int[] {24, 60}) {
      var collector =
          Matrices.collect(new TokenTrack(), Matrices.random(5, 3, n, new Random(n), 3));
      var analysis = Reported.of(collector);
      TokenFlow flow = Objects.requireNonNull(analysis.attentionFlow().tokenFlow());
      assertThat(flow.target()).isEqualTo(n - 1);
      assertThat(flow.positions()).hasSize(9).isSorted().contains(n - 1);
      var places = new ArrayList<>(flow.positions());
      places.add(null);
      for (Integer place : places) {
        for (int d = 1; d < 5; d++) {
          assertThat(entering(flow, d, place))
              .isEqualTo(leaving(flow, d - 1, place), within(1e-12));
        }
        assertThat(leaving(flow, 4, place))
            .isEqualTo(place != null && place == n - 1 ? 1 : 0, within(1e-12));
      }
      float[] row = Objects.requireNonNull(collector.collected().example()).rollout().row(n - 1);
      double others = 1;
      for (int position : flow.positions()) {
        assertThat(entering(flow, 0, position)).isEqualTo(row[position], within(1e-6));
        others -= row[position];
      }
      assertThat(entering(flow, 0, null)).isEqualTo(others, within(1e-5));
    }
  }

  /** What a layer takes from a token below it. */
  private static double entering(TokenFlow flow, int d, Integer place) {
    return flow.layers().get(d).links().stream()
        .filter(link -> Objects.equals(link.from(), place))
        .mapToDouble(TokenFlow.Link::share)
        .sum();
  }

  /** What a layer hands to a token above it. */
  private static double leaving(TokenFlow flow, int d, Integer place) {
    return flow.layers().get(d).links().stream()
        .filter(link -> Objects.equals(link.to(), place))
        .mapToDouble(TokenFlow.Link::share)
        .sum();
  }

  @Test
  void aSingleRoadIsFoundWithItsHeadAndItsBottleneck() {
    // layer 0: head 1 reads position 2 from everywhere; layer 1: head 0 reads position 2
    int n = 12;
    var self = Matrices.matrix(n, (q, k) -> k == q ? 1 : 0);
    var two = Matrices.matrix(n, (q, k) -> k == Math.min(q, 2) ? 1 : 0);
    var narrow = Matrices.matrix(n, (q, k) -> k == Math.min(q, 2) ? 0.1 : k == q ? 0.9 : 0);
    var collector =
        Matrices.collect(
            new TokenTrack(), new float[][][] {self, self}, new float[][][] {self, two});
    var flow = Reported.of(collector).attentionFlow();
    var path = flow.flowPaths().get(0);
    assertThat(path.startPosition()).isEqualTo(2);
    assertThat(path.pathLength()).isEqualTo(1);
    assertThat(path.flowSteps().get(0).layer()).isEqualTo(1);
    assertThat(path.flowSteps().get(0).head()).isEqualTo(1);
    assertThat(path.flowSteps().get(1).transformation())
        .isEqualTo(AttentionFlow.Transformation.DIRECT);
    // Â of the step: half of the mean 0.5
    assertThat(path.maxFlow()).isEqualTo(0.25, within(1e-6));
    assertThat(path.totalStrength()).isEqualTo(0.25, within(1e-6));
    assertThat(path.rollout()).isEqualTo(0.25, within(1e-6));
    var narrower =
        Matrices.collect(
            new TokenTrack(), new float[][][] {self, self}, new float[][][] {self, narrow});
    assertThat(Reported.of(narrower).attentionFlow().flowPaths().get(0).maxFlow())
        .isEqualTo(0.025, within(1e-6));
  }

  /** Position 2 reads position 6 in the first layer, the first position reads 2 in the second. */
  @Test
  void theFirstPositionIsReachedFromLaterOnesWhereTheyAreSeen() {
    int n = 8;
    var out = square(n, (q, k) -> k == (q == 2 ? 6 : q) ? 1 : 0);
    var in = square(n, (q, k) -> k == (q == 0 ? 2 : q) ? 1 : 0);
    var track = new TokenTrack();
    for (int i = 0; i < n; i++) track.append(i, "w" + i, TokenKind.CONTENT);
    var collector = Matrices.collect(track, new float[][][] {out}, new float[][][] {in});
    var analysis = Reported.of(collector);
    assertThat(analysis.attentionWeights()).isEmpty();
    assertThat(analysis.absent()).doesNotContainKeys("rollout", "attention_flow.flow_paths");
    var paths = analysis.attentionFlow().flowPaths();
    assertThat(paths).extracting(AttentionFlow.Path::pathId).containsExactly("0-2", "0-6");
    var path = paths.get(1);
    assertThat(path.flowSteps())
        .extracting(AttentionFlow.Step::involvedTokens)
        .containsExactly(List.of(0, 2), List.of(2, 6));
    assertThat(path.maxFlow()).isEqualTo(0.5, within(1e-9));
    assertThat(path.rollout()).isEqualTo(0.25, within(1e-7));
    var rollout = analysis.rollout();
    assertThat(rollout.target()).isZero();
    assertThat(rollout.reason()).isNull();
    assertThat(rollout.rolloutMax()).isEqualTo(0.5, within(1e-7));
    assertThat(rollout.meanAttention()).isEqualTo(1.0 / n, within(1e-9));
    // Position 2 gives half of its own away, the first half of its own to what 2 then is.
    double[] pooled = {0.5, 1, 0.75, 1, 1, 1, 1.75, 1};
    double[] first = {0.5, 0, 0.25, 0, 0, 0, 0.25, 0};
    for (int j = 0; j < n; j++) {
      var token = rollout.tokens().get(j);
      assertThat(token.token()).isEqualTo("w" + j);
      assertThat(token.attribution()).isEqualTo(first[j], within(1e-7));
      assertThat(token.excess())
          .isEqualTo(first[j] - (0.75 / n + (j == 0 ? 0.25 : 0)), within(1e-7));
      assertThat(token.pooled()).isNotNull().isEqualTo(pooled[j] / n, within(1e-7));
    }
  }

  private static float[][] square(int n, Matrices.Rule rule) {
    float[][] matrix = new float[n][n];
    for (int q = 0; q < n; q++) {
      for (int k = 0; k < n; k++) matrix[q][k] = (float) rule.weight(q, k);
    }
    return matrix;
  }

  @Test
  void effectiveRankOfTheIdentityIsItsOrderAndOfOneColumnOne() {
    var rows = new ArrayList<float[]>();
    var column = new ArrayList<float[]>();
    for (int i = 0; i < 5; i++) {
      rows.add(new float[i + 1]);
      rows.get(i)[i] = 1;
      column.add(new float[i + 1]);
      column.get(i)[0] = 1;
    }
    assertThat(EffectiveRank.share(rows)).isEqualTo(1, within(1e-4));
    assertThat(EffectiveRank.share(column)).isEqualTo(0.2, within(1e-4));
    assertThat(EffectiveRank.diversity(5, (a, b) -> a == b ? 1 : 0)).isEqualTo(1, within(1e-4));
  }

  @Test
  void layerFlowIsTheMeanOfWhatWasHandedIn() {
    var collector = new AttentionCollector(Matrices.shape(2, 1), AttentionOptions.defaults());
    collector.onResidual(1, new ResidualChange().add(2, 3, 4, 0.5));
    collector.onResidual(1, new ResidualChange().add(4, 2, 6, 0.7));
    var flow = Reported.of(collector).attentionFlow();
    assertThat(flow.reason()).isNotNull();
    var layer = Objects.requireNonNull(flow.layerFlowStats().get(1));
    assertThat(layer.incomingFlow()).isEqualTo(3);
    assertThat(layer.outgoingFlow()).isEqualTo(5);
    assertThat(layer.retentionRatio()).isEqualTo(0.6, within(1e-12));
    assertThat(layer.transformationRatio()).isEqualTo(1, within(1e-12));
    assertThat(layer.rows()).isEqualTo(2);
  }

  private static LayerMeans means(Random random, int n, boolean ahead) {
    return means(
        ahead ? Matrices.bothWays(3, 2, n, random, 2) : Matrices.random(3, 2, n, random, 2), n);
  }

  private static LayerMeans means(float[][][][] attention, int n) {
    var collector = Matrices.collect(new TokenTrack(), attention);
    assertThat(n).isEqualTo(attention[0][0].length);
    return Objects.requireNonNull(collector.collected().example()).layers();
  }

  private static double smallestCut(LayerMeans means, int n, int target, int source) {
    int depth = means.depth();
    int nodes = (depth + 1) * n;
    int top = depth * n + target;
    double best = Double.POSITIVE_INFINITY;
    for (int set = 0; set < 1 << nodes; set++) {
      if ((set >> top & 1) == 0 || (set >> source & 1) == 1) continue;
      double cut = 0;
      for (int d = 0; d < depth && cut < best; d++) {
        for (int i = 0; i < n; i++) {
          if ((set >> ((d + 1) * n + i) & 1) == 0) continue;
          double[] row = means.mixed(d, i);
          for (int j = 0; j < row.length; j++) {
            if ((set >> (d * n + j) & 1) == 0) cut += row[j];
          }
        }
      }
      best = Math.min(best, cut);
    }
    return best;
  }
}
