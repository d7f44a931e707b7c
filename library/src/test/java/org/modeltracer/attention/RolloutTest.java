package org.modeltracer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.AttentionRow;

@Tag("truth")
class RolloutTest {
  @Test
  void anySplitIntoPassesGivesTheSameRollout() {
    var random = new Random(11);
    for (int round = 0; round < 30; round++) {
      int n = 2 + random.nextInt(24);
      int layers = 1 + random.nextInt(4);
      var attention = Matrices.random(layers, 1 + random.nextInt(3), n, random, 2);
      Rollout whole = run(attention, n, n, AttentionOptions.defaults());
      var collector =
          new AttentionCollector(
              Matrices.shape(layers, attention[0].length), AttentionOptions.defaults());
      collector.beginPrompt(0, 0, new TokenTrack());
      for (int from = 0; from < n; ) {
        int to = Math.min(n, from + 1 + random.nextInt(6));
        Matrices.rows(collector, 0, attention, from, to);
        // ubatches of one call follow each other without an end in between
        if (layers == 1 || to == n || random.nextBoolean()) collector.endForward();
        from = to;
      }
      Rollout split = Objects.requireNonNull(collector.rollout(0));
      double[][] brute = brute(attention, n);
      for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
          assertThat(split.row(i)[j]).isEqualTo(whole.row(i)[j]);
          assertThat((double) whole.row(i)[j]).isEqualTo(brute[i][j], within(1e-6));
        }
      }
    }
  }

  @Test
  void selfAttentionRollsOutToTheIdentity() {
    var self = Matrices.matrix(9, (q, k) -> q == k ? 1 : 0);
    Rollout rollout = run(new float[][][][] {{self}, {self}}, 9, 9, AttentionOptions.defaults());
    for (int i = 0; i < 9; i++) {
      assertThat(rollout.row(i)[i]).isEqualTo(1);
    }
  }

  @Test
  void previousTokenAttentionRollsOutToABinomial() {
    var previous = Matrices.matrix(9, (q, k) -> k == q - 1 ? 1 : 0);
    Rollout rollout =
        run(
            new float[][][][] {{previous}, {previous}, {previous}},
            9,
            9,
            AttentionOptions.defaults());
    float[] row = rollout.row(8);
    assertThat(row[8]).isEqualTo(1 / 8f);
    assertThat(row[7]).isEqualTo(3 / 8f);
    assertThat(row[6]).isEqualTo(3 / 8f);
    assertThat(row[5]).isEqualTo(1 / 8f);
  }

  @Test
  void oneBatchNeedsOneTriangleAndStopsWithAReasonWhenContinued() {
    int n = 40;
    var attention = Matrices.random(6, 2, n, new Random(1), 1);
    long twoMatrices = 4L * n * (n + 1);
    var tight = AttentionOptions.defaults().withBytes(1 << 20, twoMatrices);
    var collector = new AttentionCollector(Matrices.shape(6, 2), tight);
    collector.beginPrompt(0, 0, new TokenTrack());
    Matrices.feed(collector, attention, 0, n - 1);
    assertThat(Objects.requireNonNull(collector.rollout(0)).stopped()).isNull();
    Matrices.feed(collector, attention, n - 1, n);
    Rollout rollout = Objects.requireNonNull(collector.rollout(0));
    assertThat(rollout.stopped()).contains("position " + (n - 1)).contains(twoMatrices + " bytes");
    assertThat(rollout.positions()).isEqualTo(n - 1);
  }

  /** Layers that see both ways, and some under a causal mask among them, by whole matrices. */
  @Test
  void layersThatSeeBothWaysTakeWholeMatrices() {
    var random = new Random(12);
    for (int round = 0; round < 30; round++) {
      int n = 1 + random.nextInt(20);
      int layers = 1 + random.nextInt(4);
      var attention = Matrices.bothWays(layers, 2, n, random, 2);
      if (layers > 1 && round % 2 == 0) {
        attention[random.nextInt(layers)] = Matrices.random(1, 2, n, random, 2)[0];
      }
      Rollout rollout = run(attention, n, n, AttentionOptions.defaults());
      double[][] brute = brute(attention, n);
      double[] entropy = new double[n];
      for (int i = 0; i < n; i++) {
        float[] row = Arrays.copyOf(rollout.row(i), n);
        for (int j = 0; j < n; j++) {
          assertThat((double) row[j]).isEqualTo(brute[i][j], within(1e-6));
          entropy[i] -= brute[i][j] > 0 ? brute[i][j] * Math.log(brute[i][j]) : 0;
        }
      }
      assertThat(rollout.positions()).isEqualTo(n);
      assertThat(rollout.entropyByLayer()).hasSize(layers);
      assertThat(rollout.entropyByLayer().getLast())
          .isEqualTo(Arrays.stream(entropy).average().orElseThrow(), within(1e-4));
      assertThat(rollout.stopped()).isNull();
      assertThat(rollout.partial()).isNull();
      assertThat(rollout.target()).isZero();
    }
  }

  /**
   * A text that is read both ways piece by piece: later pieces see earlier ones, not the reverse.
   */
  @Test
  void piecesThatSeeBothWaysGoOn() {
    var random = new Random(13);
    int n = 12;
    int first = 5;
    var attention = Matrices.bothWays(3, 2, n, random, 1);
    for (float[][][] layer : attention) {
      for (float[][] head : layer) {
        for (int q = 0; q < first; q++) head[q] = Matrices.random(first, random, 1)[first - 1];
      }
    }
    var collector = new AttentionCollector(Matrices.shape(3, 2), AttentionOptions.defaults());
    collector.beginPrompt(0, 0, new TokenTrack());
    Matrices.feed(collector, attention, 0, first);
    Matrices.feed(collector, attention, first, n);
    Rollout rollout = Objects.requireNonNull(collector.rollout(0));
    double[][] brute = brute(attention, n);
    for (int i = 0; i < n; i++) {
      float[] row = rollout.row(i);
      assertThat(row).hasSize(i < first ? first : n);
      for (int j = 0; j < row.length; j++) {
        assertThat((double) row[j]).isEqualTo(brute[i][j], within(1e-6));
      }
    }
  }

  @Test
  void wholeMatricesStopWithAReasonBeyondTheirBudget() {
    int n = 40;
    long three = 3L * 4 * n * n;
    var attention = Matrices.bothWays(2, 2, n, new Random(1), 1);
    attention[0] = Matrices.random(1, 2, n, new Random(2), 1)[0];
    Rollout held = run(attention, n, n, AttentionOptions.defaults().withBytes(1 << 20, three));
    assertThat(held.stopped()).isNull();
    assertThat(held.positions()).isEqualTo(n);
    Rollout stopped =
        run(attention, n, n, AttentionOptions.defaults().withBytes(1 << 20, three - 1));
    assertThat(stopped.stopped()).contains("three matrices of 40 positions");
    assertThat(stopped.positions()).isZero();
  }

  /** Rows and heads go missing at random: what is not whole says so, and only that. */
  @Test
  void whatIsNotWholeHasAReason() {
    var random = new Random(14);
    int missing = 0;
    for (int round = 0; round < 300; round++) {
      int n = 2 + random.nextInt(8);
      int layers = 1 + random.nextInt(3);
      boolean ahead = random.nextBoolean();
      var attention =
          ahead
              ? Matrices.bothWays(layers, 2, n, random, 1)
              : Matrices.random(layers, 2, n, random, 1);
      var collector =
          new AttentionCollector(Matrices.shape(layers, 2), AttentionOptions.defaults());
      collector.beginPrompt(0, 0, new TokenTrack());
      double loss = random.nextInt(3) * 0.04;
      boolean whole = true;
      for (int l = 0; l < layers; l++) {
        for (int h = 0; h < 2; h++) {
          for (int q = 0; q < n; q++) {
            float[] weights = attention[l][h][q].clone();
            boolean lost = random.nextDouble() < loss;
            if (lost && random.nextBoolean()) {
              weights[0] = Float.NaN;
              lost = false;
              whole = false;
            }
            // A head that shows nothing at all in a layer is a head not asked for.
            whole &= !lost;
            var segment = MemorySegment.ofArray(weights);
            if (!lost) {
              collector.row(new AttentionRow().at(l, h, 0, q, 0, weights.length, segment, 0));
            }
          }
        }
      }
      collector.endForward();
      Rollout rollout = Objects.requireNonNull(collector.rollout(0));
      boolean said =
          rollout.partial() != null
              || rollout.stopped() != null
              || rollout.entropyByLayer().size() < layers
              || rollout.positions() < n;
      assertThat(said).as("round %d", round).isEqualTo(!whole);
      assertThat(collector.collected().rollout().cut() > 0)
          .isEqualTo(rollout.partial() != null || rollout.stopped() != null);
      missing += whole ? 0 : 1;
      for (float[] row : rollout.rows()) {
        float sum = 0;
        for (float a : row) sum += a;
        assertThat(sum).isEqualTo(1, within(1e-5f));
      }
    }
    assertThat(missing).isBetween(60, 240);
  }

  private static Rollout run(float[][][][] attention, int n, int batch, AttentionOptions options) {
    var collector =
        new AttentionCollector(Matrices.shape(attention.length, attention[0].length), options);
    collector.beginPrompt(0, 0, new TokenTrack());
    for (int from = 0; from < n; from += batch) {
      Matrices.feed(collector, attention, from, Math.min(n, from + batch));
    }
    return Objects.requireNonNull(collector.rollout(0));
  }

  private static double[][] brute(float[][][][] attention, int n) {
    double[][] r = new double[n][n];
    for (int i = 0; i < n; i++) r[i][i] = 1;
    for (float[][][] layer : attention) {
      double[][] next = new double[n][n];
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < layer[0][i].length; j++) {
          double a = 0;
          for (float[][] head : layer) a += head[i][j] / (double) layer.length;
          a = 0.5 * a + (i == j ? 0.5 : 0);
          for (int k = 0; k < n; k++) next[i][k] += a * r[j][k];
        }
      }
      r = next;
    }
    return r;
  }
}
