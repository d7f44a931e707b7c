package org.modeltracer.gate.doctor;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.Fault;
import org.modeltracer.gate.GateResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;

/**
 * What is most likely wrong with a model, the surest first.
 *
 * @param result what the checks found
 * @param suspects what may be wrong, ranked; empty where nothing was found
 */
public record Consultation(GateResult result, List<Suspect> suspects) {
  private static final int MOST_EVIDENCE = 4;

  /** Copies the list. */
  public Consultation {
    suspects = List.copyOf(suspects);
  }

  /**
   * Ranks what the checks found.
   *
   * @param rawPrompt whether somebody's own prompt was read as it stands
   */
  public static Consultation of(GateResult result, boolean rawPrompt) {
    Map<Illness, List<Fault>> found = new TreeMap<>();
    for (Fault fault : result.faults()) {
      found.computeIfAbsent(illness(fault), i -> new ArrayList<>()).add(fault);
    }
    var suspects = new ArrayList<Suspect>();
    found.forEach(
        (illness, faults) -> suspects.add(suspect(illness, faults, signs(result, illness))));
    errors(result).forEach(suspects::add);
    if (rawPrompt && hasTemplate(result)) {
      suspects.add(
          new Suspect(
              Illness.RAW_PROMPT,
              "the file has a chat template, which -p does not use",
              List.of()));
    }
    suspects.sort(Comparator.comparing(Suspect::illness));
    return new Consultation(result, suspects);
  }

  /** A weight that a root cause names is damaged, whatever shows of it. */
  private static Illness illness(Fault fault) {
    String rule = fault.evidence().rule();
    boolean weight =
        fault.checks().contains("file.data") && (rule.equals("nan") || rule.equals("inf"));
    return weight ? Illness.DAMAGED_WEIGHT : Illness.of(rule);
  }

  private static Suspect suspect(Illness illness, List<Fault> faults, List<String> signs) {
    Fault first =
        faults.stream()
            .max(
                Comparator.comparing((Fault f) -> f.evidence().severity())
                    .thenComparingInt(f -> f.consequences().size()))
            .orElseThrow();
    var evidence = new ArrayList<String>();
    int consequences = first.consequences().size();
    if (consequences > 0) {
      evidence.add(
          "%d finding%s follow%s from it, the first: %s"
              .formatted(
                  consequences,
                  consequences == 1 ? "" : "s",
                  consequences == 1 ? "s" : "",
                  first.consequences().getFirst().message()));
    }
    var others =
        new ArrayList<>(
            faults.stream().filter(f -> f != first).map(f -> f.evidence().message()).toList());
    others.addAll(signs);
    others.stream().limit(MOST_EVIDENCE).forEach(evidence::add);
    int more = others.size() - MOST_EVIDENCE;
    if (more > 0) {
      evidence.add("and %d more of the kind".formatted(more));
    }
    return new Suspect(illness, first.evidence().message(), evidence);
  }

  /** A check that could not be brought to an end says something too. */
  private static List<Suspect> errors(GateResult result) {
    return result.results().stream()
        .filter(check -> check.verdict() == Verdict.ERROR)
        .map(check -> new Suspect(Illness.OTHER, check.id() + ": " + check.message(), List.of()))
        .toList();
  }

  private static boolean hasTemplate(GateResult result) {
    return result.results().stream()
        .map(check -> check.signals().get("chat_templates"))
        .anyMatch(count -> count instanceof Number n && n.intValue() > 0);
  }

  /** Notes that speak for an illness which something else has shown. */
  private static List<String> signs(GateResult result, Illness illness) {
    return result.notes().stream()
        .filter(note -> Illness.of(note.rule()) == illness)
        .map(Evidence::message)
        .toList();
  }

  /** What was noticed, fails no check and speaks for none of the suspects, a sentence each. */
  public List<String> noticed() {
    List<Illness> found = suspects.stream().map(Suspect::illness).toList();
    return result.notes().stream()
        .filter(note -> note.severity() != Severity.CRITICAL)
        .filter(note -> !found.contains(Illness.of(note.rule())))
        .map(Evidence::message)
        .distinct()
        .toList();
  }
}
