package org.modeltracer.anomaly;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class AttentionRulesTest {
  private static final Thresholds LIMITS = Thresholds.defaults();

  @Test
  void rowsThatSumToOneAreFine() {
    assertThat(AttentionRules.judgeRow(5, 1.0005, false, LIMITS)).isNull();
    assertThat(AttentionRules.judgeRow(5, 0.9995, false, LIMITS)).isNull();
    assertThat(AttentionRules.judgeRow(5, 0.3, true, LIMITS)).isNull();
    assertThat(AttentionRules.judgeRow(5, 0, true, LIMITS)).isNull();
  }

  @Test
  void rowsThatDoNot() {
    assertThat(row(5, 0.99, false)).isEqualTo(AnomalyKind.ROW_SUM);
    assertThat(row(5, 1.01, true)).isEqualTo(AnomalyKind.ROW_SUM);
    assertThat(row(5, Double.NaN, true)).isEqualTo(AnomalyKind.NAN);
    assertThat(row(0, 0, false)).isEqualTo(AnomalyKind.MASKED_ROW);
    assertThat(row(5, 0, false)).isEqualTo(AnomalyKind.MASKED_ROW);
  }

  @Test
  void uniformHeads() {
    var head = new HeadHistory();
    for (int i = 0; i < 7; i++) {
      head.accept(1, -1);
    }
    assertThat(AttentionRules.judgeHead(head, LIMITS)).isNull();
    head.accept(1, -1);
    assertThat(head(head)).isEqualTo(AnomalyKind.UNIFORM_ATTENTION);
    for (int i = 0; i < 10; i++) {
      head.accept(0.9, -1);
    }
    assertThat(AttentionRules.judgeHead(head, LIMITS)).isNull();
  }

  @Test
  void collapsedHeads() {
    Random random = new Random(5);
    var collapsed = new HeadHistory();
    var mostly = new HeadHistory();
    var wandering = new HeadHistory();
    var sink = new HeadHistory();
    for (int i = 0; i < 500; i++) {
      collapsed.accept(0.01, random.nextInt(100) < 2 ? random.nextInt(100) : 17);
      mostly.accept(0.1, random.nextInt(100) < 30 ? -1 : 17);
      wandering.accept(0.01, i);
      sink.accept(0.01, -1);
    }
    assertThat(head(collapsed)).isEqualTo(AnomalyKind.ATTENTION_COLLAPSE);
    assertThat(collapsed.candidate()).isEqualTo(17);
    assertThat(AttentionRules.judgeHead(mostly, LIMITS)).isNull();
    assertThat(AttentionRules.judgeHead(wandering, LIMITS)).isNull();
    assertThat(AttentionRules.judgeHead(sink, LIMITS)).isNull();
  }

  @Test
  void votesNeverExceedTheTrueCount() {
    Random random = new Random(6);
    for (int round = 0; round < 300; round++) {
      var head = new HeadHistory();
      int[] counts = new int[4];
      int keys = 1 + random.nextInt(4);
      for (int i = 0; i < 100; i++) {
        int key = Math.min(random.nextInt(keys + 1), random.nextInt(keys + 1)) - 1;
        if (key >= 0) {
          counts[key]++;
        }
        head.accept(0.5, key);
      }
      assertThat(head.votes()).isLessThanOrEqualTo(counts[head.candidate()]);
      for (int key = 0; key < 4; key++) {
        if (counts[key] > 50) {
          assertThat(head.candidate()).isEqualTo(key);
        }
      }
    }
  }

  private static AnomalyKind row(int keys, double sum, boolean sink) {
    return AttentionRules.judgeRow(keys, sum, sink, LIMITS).kind();
  }

  private static AnomalyKind head(HeadHistory head) {
    Finding finding = AttentionRules.judgeHead(head, LIMITS);
    assertThat(finding).isNotNull();
    return finding.kind();
  }
}
