package org.modeltracer.gate.checks;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.process.LastWords;

/** What a check gathers while it runs, and the result that follows from it. */
final class CheckResultBuilder {
  private static final int MOST_EVIDENCE = 100;

  private final String id;
  private final Policy policy;
  private final Map<String, @Nullable Object> signals = new LinkedHashMap<>();
  private final List<Evidence> guilty = new ArrayList<>();
  private final List<Evidence> other = new ArrayList<>();

  CheckResultBuilder(Check check, Subject subject) {
    id = check.id();
    policy = subject.policy();
  }

  /** Notes a number or a name; numbers that are not finite are written as null. */
  CheckResultBuilder signal(String name, @Nullable Object value) {
    signals.put(name, value);
    return this;
  }

  /** Adds evidence that fails the check. */
  void fails(Evidence evidence) {
    guilty.add(evidence);
  }

  /** Adds evidence that does not fail it. */
  void notes(Evidence evidence) {
    other.add(evidence);
  }

  /** Adds evidence; what is at least as bad as the policy allows fails the check. */
  void judge(Evidence evidence) {
    if (policy.fails(evidence.severity())) {
      fails(evidence);
    } else {
      notes(evidence);
    }
  }

  /**
   * Notes a count, and adds its evidence: where that many are too many, what is at least as bad as
   * the policy allows fails the check.
   */
  void share(String name, long count, long all, double limit, List<Evidence> evidence) {
    signal(name, count);
    boolean fails = count / (double) Math.max(1, all) > limit;
    evidence.forEach(fails ? this::judge : this::notes);
  }

  /** The result of a check that could not ask its question. */
  CheckResult skipped(String reason) {
    return new CheckResult(id, Verdict.SKIPPED, signals, reason, List.of());
  }

  /** The result: failed with the worst that was found first, or passed with a sentence. */
  CheckResult result(String passed) {
    guilty.sort(Comparator.comparing(Evidence::severity).reversed());
    other.sort(Comparator.comparing(Evidence::severity).reversed());
    var evidence = new ArrayList<>(guilty);
    evidence.addAll(other);
    String message = passed;
    if (!guilty.isEmpty()) {
      int more = guilty.size() - 1;
      Evidence first = guilty.getFirst();
      message =
          first.message()
              + (first.cause() == null ? "" : "; root cause: " + first.cause())
              + (more == 0 ? "" : "; and " + more + " more");
    }
    if (evidence.size() > MOST_EVIDENCE) {
      signals.put("evidence_left_out", evidence.size() - MOST_EVIDENCE);
    }
    return new CheckResult(
        id,
        guilty.isEmpty() ? Verdict.PASS : Verdict.FAIL,
        signals,
        LastWords.oneLine(message, CheckResult.LONGEST_MESSAGE),
        evidence.subList(0, Math.min(MOST_EVIDENCE, evidence.size())));
  }
}
