package org.modeltracer.cli.terminal;

import java.util.List;
import java.util.Locale;
import org.modeltracer.gate.Fault;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.output.GateReport;
import org.modeltracer.gate.output.Overview;

/** What the gate says as a table for people. */
public final class CheckTable {
  private static final int MOST_EVIDENCE = 5;

  private final Terminal terminal;

  public CheckTable(Terminal terminal) {
    this.terminal = terminal;
  }

  /** Prints the root causes, the checks and the verdict of a file. */
  public void print(GateReport report) {
    terminal.println(
        terminal.styled("bold", report.file().toString())
            + "  policy "
            + report.result().request().policy().name());
    report.faults().stream().filter(f -> !f.consequences().isEmpty()).forEach(this::rootCause);
    List<CheckResult> notAsked = report.result().notAsked();
    for (CheckResult result : report.result().results()) {
      if (!notAsked.contains(result)) {
        terminal.println(
            "  %s %-20s  "
                .formatted(
                    terminal.styled(colour(result.verdict()), mark(result.verdict())), result.id()),
            result.message());
        evidence(result);
      }
    }
    verdict(report);
  }

  /** Prints a line per file, and how many of each verdict there are. */
  public void print(Overview overview) {
    terminal.println("");
    for (GateReport report : overview.reports()) {
      Verdict verdict = report.result().verdict();
      List<Fault> faults = report.faults();
      terminal.println(
          "%s %s%s"
              .formatted(
                  terminal.styled(colour(verdict), mark(verdict)),
                  report.file(),
                  faults.isEmpty() ? "" : ": " + faults.getFirst().evidence().message()));
    }
    terminal.println(terminal.styled("bold," + colour(overview.verdict()), overview.words()));
  }

  private void rootCause(Fault fault) {
    int n = fault.consequences().size();
    terminal.println(
        terminal.styled("@|bold,red root cause|@  "),
        "%s (%d finding%s, in %s)"
            .formatted(
                fault.evidence().message(),
                n,
                n == 1 ? "" : "s",
                String.join(", ", fault.checks())));
  }

  private void verdict(GateReport report) {
    Verdict verdict = report.result().verdict();
    terminal.println(
        terminal.styled("bold," + colour(verdict), verdict.id().toUpperCase(Locale.ROOT))
            + "  "
            + report.counts());
    if (verdict == Verdict.PASS) {
      report
          .result()
          .notLookedFor()
          .forEach(
              kind -> terminal.println(terminal.styled("faint", "      not looked for: " + kind)));
    }
  }

  /**
   * The worst of what a failing check found, the first of which the message has named already, but
   * for consequences of a cause, which is named above.
   */
  private void evidence(CheckResult result) {
    if (result.verdict() != Verdict.FAIL && result.verdict() != Verdict.ERROR) {
      return;
    }
    List<Evidence> more =
        result.evidence().stream()
            .filter(e -> e.cause() == null && !result.message().startsWith(e.message()))
            .toList();
    for (Evidence evidence : more.subList(0, Math.min(MOST_EVIDENCE, more.size()))) {
      terminal.println(
          "      %-8s ".formatted(evidence.severity().id()),
          "%s: %s".formatted(evidence.rule(), evidence.message()));
    }
    if (more.size() > MOST_EVIDENCE) {
      terminal.println("      and %d more".formatted(more.size() - MOST_EVIDENCE));
    }
  }

  private static String mark(Verdict verdict) {
    return switch (verdict) {
      case PASS -> "✔";
      case FAIL -> "✘";
      case SKIPPED -> "–";
      case ERROR -> "!";
    };
  }

  private static String colour(Verdict verdict) {
    return switch (verdict) {
      case PASS -> "green";
      case FAIL -> "red";
      case SKIPPED -> "faint";
      case ERROR -> "magenta";
    };
  }
}
