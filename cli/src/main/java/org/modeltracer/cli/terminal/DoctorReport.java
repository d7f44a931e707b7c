package org.modeltracer.cli.terminal;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.doctor.Consultation;
import org.modeltracer.gate.doctor.Suspect;
import org.modeltracer.gate.output.JsonHead;

/**
 * The doctor's page: the answer first.
 *
 * @param consultation what was found
 */
public record DoctorReport(Consultation consultation) {
  private static final int NOTICED = 5;

  /** The page as JSON writes it. */
  public Map<String, @Nullable Object> toJson() {
    Map<String, @Nullable Object> json =
        JsonHead.of(consultation.result().request().file()).fields();
    json.put("answer", answer());
    json.put("suspects", consultation.suspects().stream().map(DoctorReport::json).toList());
    json.put("noticed", consultation.noticed());
    json.put("looked_at", looked(Verdict.PASS, Verdict.FAIL));
    json.put("not_looked_at", looked(Verdict.SKIPPED, Verdict.ERROR));
    json.put("not_looked_for", consultation.result().notLookedFor());
    return json;
  }

  private static Map<String, Object> json(Suspect suspect) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("illness", suspect.illness().id());
    json.put("sentence", suspect.sentence());
    json.put("evidence", suspect.evidence());
    json.put("advice", suspect.illness().advice());
    return json;
  }

  private List<String> looked(Verdict one, Verdict other) {
    return consultation.result().results().stream()
        .filter(check -> check.verdict() == one || check.verdict() == other)
        .map(CheckResult::id)
        .toList();
  }

  private String answer() {
    if (consultation.result().verdict() == Verdict.SKIPPED) {
      return "Nothing could be looked at: no check was brought to an end.";
    }
    return consultation.suspects().isEmpty()
        ? "Nothing wrong was found: %d checks passed."
            .formatted(looked(Verdict.PASS, Verdict.PASS).size())
        : consultation.suspects().getFirst().sentence();
  }

  private boolean passed() {
    return consultation.suspects().isEmpty() && consultation.result().verdict() != Verdict.SKIPPED;
  }

  /** Prints it for people. */
  public void print(Terminal terminal) {
    List<Suspect> suspects = consultation.suspects();
    terminal.println(terminal.styled(passed() ? "bold,green" : "bold,red", answer()));
    terminal.println("");
    for (int i = 0; i < suspects.size(); i++) {
      suspect(suspects.get(i), i, suspects.size(), terminal);
    }
    List<String> noticed = consultation.noticed();
    if (!noticed.isEmpty()) {
      terminal.println(terminal.styled("bold", "Noticed, but not a fault in itself"));
      noticed.stream().limit(NOTICED).forEach(line -> terminal.println("  " + line));
      if (noticed.size() > NOTICED) {
        terminal.println("  and %d more".formatted(noticed.size() - NOTICED));
      }
      terminal.println("");
    }
    terminal.println(
        terminal.styled("bold", "Looked at  "),
        String.join(", ", looked(Verdict.PASS, Verdict.FAIL)));
    for (CheckResult check : consultation.result().results()) {
      if (check.verdict() == Verdict.ERROR) {
        terminal.println("Not done   ", "%s: %s".formatted(check.id(), check.message()));
      }
    }
    consultation
        .result()
        .notLookedFor()
        .forEach(kind -> terminal.println(terminal.styled("faint", "Not looked for  " + kind)));
  }

  private static void suspect(Suspect suspect, int index, int all, Terminal terminal) {
    if (index > 0) {
      terminal.println(terminal.styled("bold", suspect.sentence()));
    }
    suspect.evidence().forEach(line -> terminal.println("  " + line));
    terminal.println(
        terminal.styled("faint", index == 0 ? "  What to try" : "  If that is not it, try"));
    suspect.illness().advice().forEach(line -> terminal.println("  • ", line));
    terminal.println("");
    if (index == 0 && all > 1) {
      terminal.println(
          terminal.styled("faint", "Also found; it may follow from the above, so fix that first:"));
      terminal.println("");
    }
  }
}
