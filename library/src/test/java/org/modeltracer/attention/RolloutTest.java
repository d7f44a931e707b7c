package org.modeltracer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;

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
        for (int j = 0; j <= i; j++) {
          double a = 0;
          for (float[][] head : layer) a += head[i][j] / (double) layer.length;
          a = 0.5 * a + (i == j ? 0.5 : 0);
          for (int k = 0; k <= j; k++) next[i][k] += a * r[j][k];
        }
      }
      r = next;
    }
    return r;
  }
}
