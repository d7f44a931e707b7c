package org.modeltracer.gate.checks;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.policy.Policy;

/** The result of a check whose evidence fails it from the policy's severity on. */
final class Findings {
  private Findings() {}

  /**
   * A failure when something is at least as bad as the policy's limit, a pass otherwise.
   *
   * @param passed message when all is well
   */
  static CheckResult result(
      Check check,
      Policy policy,
      Map<String, @Nullable Object> signals,
      List<Evidence> evidence,
      String passed) {
    var outcome = new Outcome(check);
    signals.forEach(outcome::signal);
    for (Evidence one : evidence) {
      if (one.severity().compareTo(policy.failOn()) >= 0) {
        outcome.fails(one);
      } else {
        outcome.notes(one);
      }
    }
    return outcome.result(passed);
  }
}
