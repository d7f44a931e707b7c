package org.modeltracer.anomaly;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.RunningStats;
import org.modeltracer.model.Site;

class ActivationRulesTest {
  private static final Thresholds LIMITS = Thresholds.defaults();
  private final PlaceHistory history = new PlaceHistory();

  @Test
  void ordinaryValuesAreFineEverywhere() {
    for (Site site : Site.values()) {
      assertThat(judge(site, gaussian(1, 4096))).isNull();
    }
  }

  @Test
  void nanAndInfinity() {
    float[] values = gaussian(1, 100);
    values[7] = Float.POSITIVE_INFINITY;
    assertFinding(judge(Site.FFN_OUT, values), AnomalyKind.INF, Severity.CRITICAL);
    values[3] = Float.NaN;
    Finding nan = judge(Site.FFN_OUT, values);
    assertFinding(nan, AnomalyKind.NAN, Severity.CRITICAL);
    assertThat(nan.message()).isEqualTo("1 of 100 values are NaN");
  }

  @Test
  void forbiddenTokensMayHaveLogitsOfMinusInfinity() {
    float[] values = gaussian(1, 100);
    values[7] = Float.NEGATIVE_INFINITY;
    assertThat(judge(Site.LOGITS, values)).isNull();
  }

  @Test
  void massiveActivationsAreNotAnExplosion() {
    float[] values = gaussian(1, 4096);
    values[1415] = 8e5f;
    assertThat(stats(values).std()).isGreaterThan(LIMITS.explosionStd());
    assertThat(kind(judge(Site.LAYER_OUT, values))).isEqualTo(AnomalyKind.HEADROOM);
  }

  @Test
  void withoutHistoryOnlyTheAbsurdIsCritical() {
    assertFinding(judge(Site.FFN_GATE, spike(2e6f)), AnomalyKind.EXPLOSION, Severity.WARNING);
    assertFinding(
        judge(Site.FFN_GATE, gaussian(3e4, 4096)), AnomalyKind.EXPLOSION, Severity.WARNING);
    assertFinding(judge(Site.FFN_GATE, spike(1e30f)), AnomalyKind.EXPLOSION, Severity.CRITICAL);
  }

  @Test
  void whatAPlaceAlwaysShowedIsNormal() {
    for (int i = 0; i < LIMITS.historyPasses(); i++) {
      history.accept(stats(spike(5e6f)));
    }
    assertThat(judge(Site.FFN_GATE, spike(2e7f))).isNull();
    assertFinding(judge(Site.FFN_GATE, spike(6e7f)), AnomalyKind.EXPLOSION, Severity.CRITICAL);
  }

  @Test
  void aSmallHistoryDoesNotLowerTheAbsoluteLimit() {
    for (int i = 0; i < 10; i++) {
      history.accept(stats(gaussian(0.1, 4096)));
    }
    assertThat(judge(Site.FFN_GATE, spike(5e5f))).isNull();
    assertFinding(judge(Site.FFN_GATE, spike(2e6f)), AnomalyKind.EXPLOSION, Severity.CRITICAL);
  }

  @Test
  void valuesThatAreAllTheSameCarryNothing() {
    Finding dead = judge(Site.ATTN_OUT, new float[64]);
    assertFinding(dead, AnomalyKind.VANISHING, Severity.WARNING);
    assertThat(dead.message()).contains("exactly 0");
    assertThat(kind(judge(Site.ATTN_OUT, gaussian(1e-8, 64)))).isEqualTo(AnomalyKind.VANISHING);
    assertThat(judge(Site.ATTN_OUT, gaussian(1e-5, 64))).isNull();
    assertThat(judge(Site.ATTN_OUT, new float[1])).isNull();
    assertThat(judge(Site.EXPERTS, new float[64])).isNull();
    assertThat(judge(Site.KEY_CACHE, new float[64])).isNull();
  }

  @Test
  void headroomIsAWarningWhereValuesBecomeF16() {
    assertFinding(judge(Site.KEY, spike(17000f)), AnomalyKind.HEADROOM, Severity.WARNING);
    assertFinding(judge(Site.LAYER_OUT, spike(17000f)), AnomalyKind.HEADROOM, Severity.INFO);
    assertThat(judge(Site.KEY, spike(16000f))).isNull();
    assertThat(judge(Site.LOGITS, spike(17000f))).isNull();
    assertThat(ActivationRules.headroom(16376)).isEqualTo(2);
    assertThat(ActivationRules.headroom(2 * ActivationRules.F16_MAX)).isEqualTo(-1);
  }

  @Test
  void aLayerThatAddsNothing() {
    assertThat(kind(ActivationRules.judgeResidual(0.995, 0.995, 8, LIMITS)))
        .isEqualTo(AnomalyKind.RESIDUAL_DOMINANCE);
    assertThat(ActivationRules.judgeResidual(0.995, 0.995, 7, LIMITS)).isNull();
    assertThat(ActivationRules.judgeResidual(0.995, 0.9, 100, LIMITS)).isNull();
    assertThat(ActivationRules.judgeResidual(0.9, 0.995, 100, LIMITS)).isNull();
  }

  @Test
  void aHeadWhoseOutputIsZero() {
    assertThat(kind(ActivationRules.judgeHead(stats(new float[8]))))
        .isEqualTo(AnomalyKind.DEAD_HEAD);
    assertThat(ActivationRules.judgeHead(stats(spike(1)))).isNull();
    assertThat(ActivationRules.judgeHead(new RunningStats())).isNull();
  }

  private Finding judge(Site site, float[] values) {
    return ActivationRules.judge(site, stats(values), history, LIMITS);
  }

  private static AnomalyKind kind(Finding finding) {
    assertThat(finding).isNotNull();
    return finding.kind();
  }

  private static void assertFinding(Finding finding, AnomalyKind kind, Severity severity) {
    assertThat(kind(finding)).isEqualTo(kind);
    assertThat(finding.severity()).isEqualTo(severity);
  }

  private static RunningStats stats(float[] values) {
    RunningStats stats = new RunningStats();
    stats.add(MemorySegment.ofArray(values), 0, values.length);
    return stats;
  }

  private static float[] spike(float value) {
    float[] values = gaussian(1, 4096);
    values[1] = value;
    return values;
  }

  private static float[] gaussian(double std, int n) {
    Random random = new Random(n);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) (std * random.nextGaussian());
    }
    return values;
  }
}
