package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.sparse.PolicyReport.Kept;

/** Matrices of which it is known what each policy keeps. */
class KeyPolicyTest {
  private static final int N = 200;

  private interface Matrix {
    double weight(int query, int key);
  }

  private static PolicyReport report(List<Integer> budgets, Matrix matrix) {
    var trace = new PolicyTrace(budgets, 0.95);
    var row = new AttentionRow();
    for (int q = 0; q < N; q++) {
      int query = q;
      int[] positions = IntStream.rangeClosed(0, q).toArray();
      var weights = new float[q + 1];
      double sum = IntStream.of(positions).mapToDouble(k -> matrix.weight(query, k)).sum();
      for (int k = 0; k <= q; k++) {
        weights[k] = (float) (matrix.weight(q, k) / sum);
      }
      trace.onAttentionRow(row.at(0, 0, 0, q, positions, q + 1, MemorySegment.ofArray(weights), 0));
    }
    return trace.report();
  }

  private static Kept kept(PolicyReport report, KeyPolicy policy, int budget) {
    return report.heads().getFirst().kept().stream()
        .filter(k -> k.policy() == policy && k.budget() == budget)
        .findFirst()
        .orElseThrow();
  }

  @Test
  void ofUniformAttentionEveryPolicyKeepsItsShare() {
    PolicyReport report = report(List.of(32), (q, k) -> 1);
    double share = IntStream.rangeClosed(33, N).mapToDouble(n -> 32.0 / n).average().orElseThrow();
    for (KeyPolicy policy : KeyPolicy.values()) {
      Kept kept = kept(report, policy, 32);
      assertThat(kept.rows()).isEqualTo(N - 32);
      assertThat(kept.mass()).as("%s", policy).isCloseTo(kept.kept(), within(1e-5));
      if (policy != KeyPolicy.BLOCK_TOP_K) {
        assertThat(kept.kept()).as("%s", policy).isCloseTo(share, within(1e-9));
      }
    }
    // Two blocks, of which the query's own is whole once in sixteen times.
    double blocks =
        IntStream.rangeClosed(33, N)
            .mapToDouble(n -> (16.0 + (n - 1) % 16 + 1) / n)
            .average()
            .orElseThrow();
    assertThat(kept(report, KeyPolicy.BLOCK_TOP_K, 32).kept()).isCloseTo(blocks, within(1e-9));
    assertThat(report.layers().getFirst().policy()).isNull();
    assertThat(report.heads().getFirst().needed().get("90")).isCloseTo(0.9, within(0.02));
  }

  @Test
  void ofGeometricAttentionAWindowKeepsAGeometricSum() {
    double r = 0.9;
    PolicyReport report = report(List.of(32, 64), (q, k) -> Math.pow(r, q - k));
    double mass =
        IntStream.rangeClosed(33, N)
            .mapToDouble(n -> (1 - Math.pow(r, 32)) / (1 - Math.pow(r, n)))
            .average()
            .orElseThrow();
    assertThat(kept(report, KeyPolicy.SLIDING_WINDOW, 32).mass()).isCloseTo(mass, within(1e-5));
    assertThat(kept(report, KeyPolicy.TOP_K, 32).mass()).isCloseTo(mass, within(1e-5));
    assertThat(report.layers().getFirst().budget()).isEqualTo(32);
    assertThat(report.layers().getFirst().predictedRecall()).isCloseTo(mass, within(1e-5));
  }

  @Test
  void aSinkIsKeptByWhoKeepsSinks() {
    // Half on the first key, half spread over the last eight.
    PolicyReport report = report(List.of(32), (q, k) -> k == 0 ? 8 : q - k < 8 ? 1 : 0);
    assertThat(kept(report, KeyPolicy.SLIDING_WINDOW, 32).mass()).isCloseTo(0.5, within(1e-6));
    assertThat(kept(report, KeyPolicy.SINK_WINDOW, 32).mass()).isCloseTo(1, within(1e-6));
    assertThat(kept(report, KeyPolicy.HEAVY_HITTERS, 32).mass()).isCloseTo(1, within(1e-6));
    assertThat(report.layers().getFirst().policy()).isNotEqualTo(KeyPolicy.SLIDING_WINDOW);
  }

  @Test
  void aHeavyHitterStaysAndALateComerIsLost() {
    // Key 5 is heavy from the start; key 9 only from query 100 on, when it has been dropped.
    PolicyReport report =
        report(List.of(32), (q, k) -> k == 5 ? 3 : k == 9 && q >= 100 ? 6 : k == q ? 1 : 0);
    double mass =
        IntStream.range(32, N).mapToDouble(q -> q < 100 ? 1 : 4.0 / 10).average().orElseThrow();
    assertThat(kept(report, KeyPolicy.HEAVY_HITTERS, 32).mass()).isCloseTo(mass, within(1e-5));
    assertThat(kept(report, KeyPolicy.TOP_K, 32).mass()).isCloseTo(1, within(1e-6));
  }

  @Test
  void blocksAreChosenByTheirMeanScore() {
    // All of block 3 (48 to 63) scores high, a single key of block 1 higher than any of them.
    PolicyReport report =
        report(
            List.of(32), (q, k) -> k / 16 == 3 ? 10 : k == 20 ? 100 : k / 16 == q / 16 ? 1 : 1e-3);
    double mass =
        IntStream.range(64, N)
            .mapToDouble(
                q -> {
                  double own = q % 16 + 1;
                  double rest = (q + 1 - 16 - 1 - own) * 1e-3;
                  return (160 + own) / (160 + own + 100 + rest);
                })
            .average()
            .orElseThrow();
    var late = new MeanSum();
    var hitters = new HeavyHitters();
    for (int q = 64; q < N; q++) {
      var weights = new float[q + 1];
      double all = 0;
      for (int k = 0; k <= q; k++) {
        weights[k] = k / 16 == 3 ? 10 : k == 20 ? 100 : k / 16 == q / 16 ? 1 : 1e-3f;
        all += weights[k];
      }
      var kept = new boolean[q + 1];
      KeyPolicy.BLOCK_TOP_K.keep(weights, q + 1, 32, hitters, kept);
      double sum = 0;
      for (int k = 0; k <= q; k++) {
        sum += kept[k] ? weights[k] : 0;
      }
      late.add(sum / all);
    }
    assertThat(late.orZero()).isCloseTo(mass, within(1e-4));
    assertThat(kept(report, KeyPolicy.BLOCK_TOP_K, 32).rows()).isEqualTo(N - 32);
  }
}
