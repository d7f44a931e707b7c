package org.modeltracer.anomaly;

import org.jspecify.annotations.Nullable;

/**
 * Finds generated text that runs in a circle: one token over and over, or a longer loop.
 *
 * <p>For each period p it counts how many tokens in a row equal the token p before them.
 */
public final class RepetitionRule {
  private final Thresholds limits;
  private final int[] recent;
  private final int[] run;
  private long seen;

  /** Starts watching a generation. */
  public RepetitionRule(Thresholds limits) {
    this.limits = limits;
    recent = new int[limits.loopPeriod()];
    run = new int[limits.loopPeriod() + 1];
  }

  /** Takes the token of a step; reports once per loop, when it has gone round often enough. */
  public @Nullable Finding accept(int step, int token) {
    int found = 0;
    for (int period = 1; period <= Math.min(recent.length, seen); period++) {
      boolean same = recent[(int) ((seen - period) % recent.length)] == token;
      run[period] = same ? run[period] + 1 : 0;
      if (found == 0 && run[period] >= needed(period)) {
        found = period;
      }
    }
    recent[(int) (seen++ % recent.length)] = token;
    return found > 0 && run[found] == needed(found) ? finding(found, step, token) : null;
  }

  private int needed(int period) {
    int tokens =
        period == 1
            ? limits.repeatedToken()
            : Math.max(limits.loopTokens(), limits.loopRepeats() * period);
    return Math.max(1, tokens - period);
  }

  private Finding finding(int period, int step, int token) {
    int since = run[period] + period - 1;
    String what =
        period == 1
            ? "token %d %d times in a row, since step %d".formatted(token, since + 1, step - since)
            : "a loop of %d tokens for %d tokens, since step %d"
                .formatted(period, since + 1, step - since);
    return new Finding(AnomalyKind.REPETITION, AnomalyKind.REPETITION.severity(), what, since);
  }
}
