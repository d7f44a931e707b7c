package org.modeltracer.gate;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
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

  /** What is wrong: everything that a check fails by, each cause once. */
  public List<Fault> faults() {
    return Fault.of(
        results.stream()
            .filter(r -> r.verdict() == Verdict.FAIL)
            .map(r -> r.with(guilty(r)))
            .toList());
  }

  /** What checks found and do not fail by. */
  public List<Evidence> notes() {
    return results.stream()
        .flatMap(
            r ->
                switch (r.verdict()) {
                  case PASS -> r.evidence().stream();
                  case FAIL -> r.evidence().stream().filter(e -> !guilty(r).contains(e));
                  case SKIPPED, ERROR -> Stream.<Evidence>empty();
                })
        .toList();
  }

  /** What a check fails by, of all that it found. */
  private List<Evidence> guilty(CheckResult check) {
    List<Evidence> guilty =
        check.evidence().stream().filter(e -> request.policy().fails(e.severity())).toList();
    return guilty.isEmpty() ? check.evidence() : guilty;
  }

  /** Checks that nobody asked for. */
  public List<CheckResult> notAsked() {
    return results.stream()
        .filter(r -> r.verdict() == Verdict.SKIPPED && !request.policy().wants(r.id()))
        .toList();
  }

  /** Kinds of damage that none of the checks which ran would have seen, in words. */
  public List<String> notLookedFor() {
    var kinds = new ArrayList<String>();
    if (!ran("file.data")) {
      kinds.add("bad values in the weights");
    }
    if (!ran("forward.")) {
      kinds.add("bad values while the model runs");
    }
    if (!ran("language.") && !ran("reference.logits") && !ran("reference.embeddings")) {
      kinds.add("weights that are wrong throughout and finite, such as random or exchanged ones");
    }
    if (!ran("reference.logits") && !ran("reference.embeddings")) {
      kinds.add("weights or parameters that are somewhat wrong (--reference or --kl-base)");
    }
    if (!ran("tokenizer.reference") && !ran("reference.metadata")) {
      kinds.add("tokenizer rules, special tokens and template of another model (--reference)");
    }
    return List.copyOf(kinds);
  }

  private boolean ran(String checks) {
    return results.stream()
        .filter(r -> r.id().startsWith(checks))
        .anyMatch(r -> r.verdict() == Verdict.PASS || r.verdict() == Verdict.FAIL);
  }

  /** Whether the file could not be read or loaded at all. */
  public boolean unreadable() {
    return results.stream().anyMatch(CheckResult::unreadable);
  }

  private boolean any(Verdict verdict) {
    return results.stream().anyMatch(r -> r.verdict() == verdict);
  }
}
