package org.modeltracer.gate;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Verdict;

/**
 * What the gate says of a file.
 *
 * @param request the file, and what was asked of it
 * @param results what came of each check, in the order of the catalogue; checks that did not run
 *     are among them, skipped with a reason
 * @param trace what the traced run of the file left, as in {@code summary.json}; null when none
 *     began
 */
public record GateResult(
    CheckRequest request,
    List<CheckResult> results,
    @Nullable Map<String, @Nullable Object> trace) {

  /** Copies the results. */
  public GateResult {
    results = List.copyOf(results);
  }

  /**
   * The worst of all checks: an error before a failure before a pass; skipped when none was brought
   * to an end.
   */
  public Verdict verdict() {
    if (any(Verdict.ERROR)) {
      return Verdict.ERROR;
    }
    if (any(Verdict.FAIL)) {
      return Verdict.FAIL;
    }
    return any(Verdict.PASS) ? Verdict.PASS : Verdict.SKIPPED;
  }

  /** Whether the file could not be read or loaded at all. */
  public boolean unreadable() {
    return results.stream().anyMatch(CheckResult::unreadable);
  }

  private boolean any(Verdict verdict) {
    return results.stream().anyMatch(r -> r.verdict() == verdict);
  }
}
