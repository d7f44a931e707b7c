package org.modeltracer.anomaly;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RepetitionRuleTest {
  private final RepetitionRule rule = new RepetitionRule(Thresholds.defaults());
  private final List<Finding> found = new ArrayList<>();
  private int step;

  @Test
  void ordinaryTextHasNoLoop() {
    Random random = new Random(7);
    int token = 0;
    for (int i = 0; i < 5000; i++) {
      // Runs of one token, as in underlines and indentation, and a small vocabulary.
      token = (token + 1 + random.nextInt(3)) % 4;
      for (int n = random.nextInt(50) == 0 ? 20 : 1; n > 0; n--) {
        accept(token);
      }
    }
    assertThat(found).isEmpty();
  }

  @Test
  void oneTokenOverAndOver() {
    accept(1, 2, 3);
    for (int i = 0; i < 100; i++) {
      accept(71);
    }
    assertThat(found).hasSize(1);
    assertThat(found.getFirst().message()).isEqualTo("token 71 32 times in a row, since step 3");
    assertThat(found.getFirst().since()).isEqualTo(31);
  }

  @Test
  void loopsOfEveryPeriodAreFoundWithTheirBeginning() {
    for (int period = 2; period <= 64; period++) {
      var one = new RepetitionRule(Thresholds.defaults());
      Finding first = null;
      int at = 0;
      for (int i = 0; i < 10 + 6 * period + 40; i++) {
        Finding finding = one.accept(i, i < 10 ? 1000 + i : (i - 10) % period);
        if (finding != null) {
          assertThat(first).as("period %d told once", period).isNull();
          first = finding;
          at = i;
        }
      }
      assertThat(first).as("period %d", period).isNotNull();
      assertThat(first.kind()).isEqualTo(AnomalyKind.REPETITION);
      assertThat(first.message()).contains("loop of " + period + " tokens", "since step 10");
      assertThat(at - first.since()).isEqualTo(10);
      assertThat(first.since() + 1).isEqualTo(Math.max(32, 4 * period));
    }
  }

  @Test
  void aSecondLoopIsToldAgain() {
    for (int round = 0; round < 2; round++) {
      for (int i = 0; i < 60; i++) {
        accept(i % 5);
      }
      accept(90, 91, 92);
    }
    assertThat(found).hasSize(2);
  }

  private void accept(int... tokens) {
    for (int token : tokens) {
      Finding finding = rule.accept(step++, token);
      if (finding != null) {
        found.add(finding);
      }
    }
  }
}
