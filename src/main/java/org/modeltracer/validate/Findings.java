package org.modeltracer.validate;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** From what a check found to its verdict. */
final class Findings {
  private Findings() {}

  /**
   * A failure when something is at least as bad as the policy's limit, a pass otherwise.
   *
   * @param evidence what was found; the result lists it worst first
   * @param passed message when all is well
   */
  static CheckResult result(
      Check check,
      Policy policy,
      Map<String, @Nullable Object> signals,
      List<Evidence> evidence,
      String passed) {
    List<Evidence> sorted =
        evidence.stream().sorted(Comparator.comparing(Evidence::severity).reversed()).toList();
    boolean fails =
        !sorted.isEmpty() && sorted.getFirst().severity().compareTo(policy.failOn()) >= 0;
    return new CheckResult(
        check.id(),
        fails ? Verdict.FAIL : Verdict.PASS,
        signals,
        fails ? sorted.getFirst().message() : passed,
        sorted);
  }
}
