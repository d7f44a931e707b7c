package org.modeltracer.gate;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;

/**
 * One thing that is wrong with a file, however many checks found something of it: a bad weight is
 * one fault, and every place where its NaN shows is a consequence.
 *
 * @param check the check that found it first, of those that fail by it
 * @param evidence what is wrong; of a root cause that only consequences name, that cause
 * @param consequences what follows from it
 * @param checks names of all checks that found something of it, in order
 */
public record Fault(
    CheckResult check, Evidence evidence, List<Evidence> consequences, Set<String> checks) {

  /** The faults that checks found, in the order in which they did. */
  public static List<Fault> of(List<CheckResult> results) {
    Set<String> guilty = new TreeSet<>();
    results.forEach(
        result ->
            result.evidence().stream()
                .filter(e -> e.cause() != null && e.tensor() != null)
                .forEach(e -> guilty.add(Objects.requireNonNull(e.tensor()))));
    Map<Object, Fault> faults = new LinkedHashMap<>();
    for (CheckResult result : results) {
      for (Evidence evidence : result.evidence()) {
        boolean shared = evidence.tensor() != null && guilty.contains(evidence.tensor());
        Object key = shared ? Objects.requireNonNull(evidence.tensor()) : evidence;
        faults.merge(key, begin(result, evidence), Fault::with);
      }
    }
    return List.copyOf(faults.values());
  }

  private static Fault begin(CheckResult result, Evidence evidence) {
    var checks = new LinkedHashSet<>(List.of(result.id()));
    return evidence.cause() == null
        ? new Fault(result, evidence, List.of(), checks)
        : new Fault(result, evidence.ofItsCause(), List.of(evidence), checks);
  }

  private Fault with(Fault other) {
    boolean leads = weight() >= other.weight();
    Fault lead = leads ? this : other;
    Fault rest = leads ? other : this;
    var all = new ArrayList<>(lead.consequences);
    all.addAll(rest.consequences.isEmpty() ? List.of(rest.evidence) : rest.consequences);
    var names = new LinkedHashSet<>(checks);
    names.addAll(other.checks);
    return new Fault(lead.check, lead.evidence, List.copyOf(all), names);
  }

  /** What fails a check speaks for what does not, and the severe for the lesser. */
  private int weight() {
    int fails = check.verdict() == Verdict.FAIL ? Severity.values().length : 0;
    return fails + evidence.severity().ordinal();
  }

  /** What is wrong, and how much follows from it, in one line. */
  public String sentence() {
    int n = consequences.size();
    return n == 0
        ? evidence.message()
        : "%s; %d consequence%s, the first: %s"
            .formatted(evidence.message(), n, n == 1 ? "" : "s", consequences.getFirst().message());
  }
}
