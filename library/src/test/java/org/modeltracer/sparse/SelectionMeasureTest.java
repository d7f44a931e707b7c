package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

class SelectionMeasureTest {
  @Test
  void aSelectionByHand() {
    float[] attention = {0.5f, 0.25f, 0.125f, 0.125f};
    float[] scores = {2, 0, 3, 1};
    var m = SelectionMeasure.of(attention, scores, new boolean[] {true, false, true, false}, 4);
    assertThat(m.recall()).isEqualTo(0.625);
    assertThat(m.best()).isEqualTo(0.75);
    assertThat(m.recency()).isEqualTo(0.25);
    assertThat(m.chance()).isEqualTo(0.5);
    assertThat(m.overlap()).isEqualTo(0.5);
    assertThat(m.iou()).isCloseTo(1.0 / 3, within(1e-12));
    // Best keys are 0 and 1, with scores 2 and 0, against 3 and 1: one pair of four in order.
    assertThat(m.auc()).isEqualTo(0.25);
    assertThat(m.selectionAuc()).isEqualTo(1);
  }

  @Test
  void scoresThatAreLogitsOfTheAttentionDoNotDiverge() {
    float[] attention = {0.5f, 0.25f, 0.125f, 0.125f};
    var logits = new float[4];
    for (int i = 0; i < 4; i++) {
      logits[i] = (float) Math.log(attention[i]) + 7;
    }
    assertThat(SelectionMeasure.divergence(attention, logits, 4)).isCloseTo(0, within(1e-6));
    // Against equal scores: ln 4 − H.
    double entropy = 0.5 * Math.log(2) + 0.25 * Math.log(4) + 0.25 * Math.log(8);
    assertThat(SelectionMeasure.divergence(attention, new float[4], 4))
        .isCloseTo(Math.log(4) - entropy, within(1e-12));
  }

  @Test
  void aucCountsPairsAndTiesByHalf() {
    var random = new Random(3);
    for (int round = 0; round < 50; round++) {
      int n = 2 + random.nextInt(20);
      var scores = new float[n];
      var positive = new boolean[n];
      for (int i = 0; i < n; i++) {
        scores[i] = random.nextInt(7) - 3;
        positive[i] = random.nextBoolean();
      }
      positive[0] = true;
      positive[1] = false;
      double won = 0;
      int pairs = 0;
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          if (positive[i] && !positive[j]) {
            pairs++;
            won += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
          }
        }
      }
      assertThat(SelectionMeasure.auc(scores, positive, n)).isCloseTo(won / pairs, within(1e-12));
    }
  }

  @Test
  void ofEqualValuesTheFirstAreTheLargest() {
    assertThat(SelectionMeasure.largest(new float[] {1, -0f, 0, 1, 0}, 5, 3))
        .containsExactly(true, true, false, true, false);
  }
}
