package org.modeltracer.heads;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.attention.report.AttentionFlow;
import org.modeltracer.attention.report.RolloutAttribution;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.testing.LayeredGraph;
import org.modeltracer.testing.Npz;
import org.modeltracer.testing.Shared;

/** Rollout and flow of two real layers of MiniLM, against its float64 attention. */
class EncoderRolloutTest {
  private static final double TOLERANCE = 1e-3;

  @Test
  void theWholeTextFlowsToItsFirstToken() {
    var file = Shared.file("real", "minilm-l2-f16.gguf");
    var reference = new Npz(Shared.file("real", "ref_minilm_l2.npz"));
    int[] ids = reference.ints("ids");
    int n = ids.length;
    double[][][] mixed = mixed(reference.doubles("attn_tanh"), n);
    var trace =
        Analysed.run(
            LlamaRuntime.load(),
            file,
            Analysed.exact(),
            (analysis, session) -> {
              analysis.begin(ids);
              session.evaluate(ids, true);
            });
    double[][] rolled = times(mixed[1], mixed[0]);
    var rollout = Objects.requireNonNull(trace.collector().rollout(0));
    assertThat(rollout.positions()).isEqualTo(n);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        assertThat((double) rollout.row(i)[j]).isEqualTo(rolled[i][j], within(TOLERANCE));
      }
    }
    AttentionAnalysis analysis = trace.analysis();
    attribution(analysis.rollout(), rolled);
    assertThat(analysis.absent()).doesNotContainKeys("rollout", "attention_flow.flow_paths");
    assertThat(analysis.attentionFlow().layerFlowStats()).hasSize(2);
    var graph = LayeredGraph.of(2, n, (d, i) -> mixed[d][i]);
    assertThat(analysis.attentionFlow().flowPaths()).hasSize(4);
    for (AttentionFlow.Path path : analysis.attentionFlow().flowPaths()) {
      assertThat(path.endPosition()).isZero();
      assertThat(path.maxFlow())
          .isEqualTo(graph.edmondsKarp(0, path.startPosition()), within(TOLERANCE));
      assertThat(path.rollout()).isEqualTo(rolled[0][path.startPosition()], within(TOLERANCE));
    }
  }

  private static void attribution(RolloutAttribution attribution, double[][] rolled) {
    int n = rolled.length;
    assertThat(attribution.reason()).isNull();
    assertThat(attribution.target()).isZero();
    assertThat(attribution.tokens()).hasSize(n);
    assertThat(attribution.meanAttention()).isEqualTo(1.0 / n, within(1e-6));
    for (RolloutAttribution.Token token : attribution.tokens()) {
      int j = token.position();
      double mean = 0;
      for (double[] row : rolled) mean += row[j] / n;
      assertThat(token.attribution()).isEqualTo(rolled[0][j], within(TOLERANCE));
      assertThat(Objects.requireNonNull(token.pooled())).isEqualTo(mean, within(TOLERANCE));
    }
  }

  /** Â by layer, of attention {@code [layer, head, query, key]}. */
  private static double[][][] mixed(double[] attention, int n) {
    int heads = attention.length / (2 * n * n);
    var mixed = new double[2][n][n];
    for (int l = 0; l < 2; l++) {
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          for (int h = 0; h < heads; h++) {
            mixed[l][i][j] += attention[((l * heads + h) * n + i) * n + j] / heads / 2;
          }
        }
        mixed[l][i][i] += 0.5;
      }
    }
    return mixed;
  }

  private static double[][] times(double[][] a, double[][] b) {
    int n = a.length;
    double[][] product = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        for (int k = 0; k < n; k++) product[i][j] += a[i][k] * b[k][j];
      }
    }
    return product;
  }
}
