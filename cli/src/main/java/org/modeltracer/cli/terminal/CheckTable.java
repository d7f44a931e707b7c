package org.modeltracer.cli.terminal;

import java.util.List;
import java.util.Locale;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.output.GateReport;

/** What the gate says as a table for people. */
public final class CheckTable {
  private static final int MOST_EVIDENCE = 5;

  private final Terminal terminal;

  public CheckTable(Terminal terminal) {
    this.terminal = terminal;
  }

  public void print(GateReport report) {
    terminal.println(
        terminal.styled("bold", report.file().toString())
            + "  policy "
            + report.result().request().policy().name());
    for (CheckResult result : report.result().results()) {
      terminal.println(
          "  %s %-20s  %s"
              .formatted(
                  terminal.styled(colour(result.verdict()), mark(result.verdict())),
                  result.id(),
                  result.message()));
      evidence(result);
    }
    Verdict verdict = report.result().verdict();
    terminal.println(
        terminal.styled("bold," + colour(verdict), verdict.id().toUpperCase(Locale.ROOT))
            + "  "
            + report.counts());
  }

  /** The worst of what a failing check found, the first of which the message has named already. */
  private void evidence(CheckResult result) {
    if (result.verdict() != Verdict.FAIL && result.verdict() != Verdict.ERROR) {
      return;
    }
    List<Evidence> more =
        result.evidence().stream().filter(e -> !result.message().startsWith(e.message())).toList();
    for (Evidence evidence : more.subList(0, Math.min(MOST_EVIDENCE, more.size()))) {
      terminal.println(
          "      %-8s %s: %s"
              .formatted(evidence.severity().id(), evidence.rule(), evidence.message()));
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
