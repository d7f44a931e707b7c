package org.modeltracer.anomaly;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LogitRulesTest {
  private final LogitRules rules = new LogitRules(Thresholds.defaults());

  @Test
  void soundScoresAreFine() {
    assertThat(rules.judge(100, 0, 100, false, 2)).isNull();
    assertThat(rules.judge(100, 0, 3, false, 1)).isNull();
    assertThat(rules.judge(1, 0, 1, true, 0)).isNull();
  }

  @Test
  void unsoundScores() {
    assertFinding(rules.judge(100, 2, 98, false, 2), Severity.CRITICAL, "2 of 100 logits");
    assertFinding(rules.judge(100, 0, 0, false, 0), Severity.CRITICAL, "none of 100");
    assertFinding(rules.judge(100, 0, 100, true, Math.log(100)), Severity.CRITICAL, "the same");
    assertFinding(
        rules.judge(100, 0, 100, false, 0.9995 * Math.log(100)), Severity.WARNING, "flat");
  }

  @Test
  void aCollapseIsToldOnceASpellWithItsBeginning() {
    for (int spell = 0; spell < 2; spell++) {
      assertThat(rules.judgeStep(1)).isNull();
      for (int i = 0; i < 31; i++) {
        assertThat(rules.judgeStep(1e-4)).isNull();
      }
      Finding found = rules.judgeStep(1e-4);
      assertFinding(found, Severity.WARNING, "for 32 steps");
      assertThat(found.since()).isEqualTo(31);
      assertThat(rules.judgeStep(1e-4)).isNull();
    }
  }

  private static void assertFinding(Finding finding, Severity severity, String text) {
    assertThat(finding).isNotNull();
    assertThat(finding.kind()).isEqualTo(AnomalyKind.LOGITS);
    assertThat(finding.severity()).isEqualTo(severity);
    assertThat(finding.message()).contains(text);
  }
}
