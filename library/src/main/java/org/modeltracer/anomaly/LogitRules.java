package org.modeltracer.anomaly;

import org.jspecify.annotations.Nullable;

/** Rules about the scores of the next token. */
public final class LogitRules {
  private final Thresholds limits;
  private int collapsed;

  /** Starts watching a run. */
  public LogitRules(Thresholds limits) {
    this.limits = limits;
  }

  /**
   * Judges one position; scores of minus infinity are how a token is forbidden, and are fine.
   *
   * @param vocabulary number of scores
   * @param bad number of scores that are NaN or plus infinity
   * @param finite number of finite scores
   * @param constant whether all scores are the same
   * @param entropy entropy of the softmax in nats
   */
  public @Nullable Finding judge(
      int vocabulary, int bad, int finite, boolean constant, double entropy) {
    if (bad > 0 || finite == 0) {
      return Finding.of(
          AnomalyKind.LOGITS,
          bad > 0
              ? bad + " of " + vocabulary + " logits are NaN or +Inf"
              : "none of " + vocabulary + " logits is finite");
    }
    if (constant && vocabulary > 1) {
      return Finding.of(AnomalyKind.LOGITS, "all " + vocabulary + " logits are the same");
    }
    if (vocabulary > 1 && entropy > limits.flatLogits() * Math.log(vocabulary)) {
      return Finding.of(
          AnomalyKind.LOGITS,
          Severity.WARNING,
          "next-token distribution is flat: entropy %.4f of ln %d".formatted(entropy, vocabulary));
    }
    return null;
  }

  /**
   * Judges a generated step; reports once per spell, when it has lasted long enough.
   *
   * @param entropy entropy of the next-token distribution in nats
   */
  public @Nullable Finding judgeStep(double entropy) {
    collapsed = entropy < limits.collapsedEntropy() ? collapsed + 1 : 0;
    if (collapsed != limits.collapsedEntropySteps()) {
      return null;
    }
    return new Finding(
        AnomalyKind.LOGITS,
        Severity.WARNING,
        "next-token entropy below %.3g nats for %d steps"
            .formatted(limits.collapsedEntropy(), collapsed),
        collapsed - 1);
  }
}
