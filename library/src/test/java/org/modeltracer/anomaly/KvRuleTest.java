package org.modeltracer.anomaly;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class KvRuleTest {
  private final KvRule rule = new KvRule(Thresholds.defaults());

  @Test
  void aCacheThatFillsIsFineUntilItIsFull() {
    for (int used = 1; used < 256; used++) {
      assertThat(rule.accept(used, 256, 0, Double.NaN)).isNull();
    }
    Finding full = rule.accept(256, 256, 0, Double.NaN);
    assertThat(full).isNotNull();
    assertThat(full.kind()).isEqualTo(AnomalyKind.KV_EXHAUSTED);
  }

  @Test
  void aSlidingWindowIsNotThrashing() {
    for (int step = 0; step < 1000; step++) {
      assertThat(rule.accept(500, 512, 1, Double.NaN)).isNull();
    }
  }

  @Test
  void droppingWhatIsNeededIs() {
    Finding finding = null;
    for (int step = 0; step < 32; step++) {
      assertThat(finding).isNull();
      finding = rule.accept(200, 256, 100, 0.1);
    }
    assertThat(finding).isNotNull();
    assertThat(finding.kind()).isEqualTo(AnomalyKind.KV_THRASHING);
    assertThat(finding.message()).contains("3200 cells of 256", "32 of the last 32 steps");
    assertThat(rule.thrashed()).isTrue();
  }

  @Test
  void aQuarterOfTheCellsWithinTheWindowIsHighEviction() {
    for (int step = 0; step < 1000; step++) {
      // 63 cells in any 32 steps, of 256.
      rule.accept(200, 256, step % 32 == 0 ? 63 : 0, Double.NaN);
      assertThat(rule.highEviction()).isFalse();
    }
    rule.accept(200, 256, 1, Double.NaN);
    assertThat(rule.highEviction()).isTrue();
    rule.accept(200, 256, 0, Double.NaN);
    assertThat(rule.highEviction()).as("of the session").isTrue();
    assertThat(rule.thrashed()).isFalse();
  }

  @Test
  void evictionsThatDoNotHurtReuseAreFine() {
    for (int step = 0; step < 100; step++) {
      assertThat(rule.accept(200, 256, 100, 0.9)).isNull();
    }
  }
}
