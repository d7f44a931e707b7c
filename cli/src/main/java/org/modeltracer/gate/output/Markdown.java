package org.modeltracer.gate.output;

import java.util.ArrayList;
import java.util.List;
import org.modeltracer.gate.Fault;
import org.modeltracer.gate.GateResult;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.model.VisibleText;

/** What the gate says as Markdown, for the summary of a CI job. */
public final class Markdown {
  private static final int MOST_FAULTS = 20;

  private Markdown() {}

  /** A heading, a table of the checks, and what was found. */
  public static String of(GateReport report) {
    GateResult all = report.result();
    var out = new StringBuilder();
    out.append(
        "## %s `%s`: %s%n%n"
            .formatted(mark(all.verdict()), code(report.file().toString()), all.verdict().id()));
    out.append(
        "Policy %s, %s.%n%n".formatted(cell(all.request().policy().name()), report.counts()));
    out.append("| | check | result |%n|---|---|---|%n".formatted());
    var asked = new ArrayList<>(all.results());
    asked.removeAll(all.notAsked());
    for (CheckResult result : asked) {
      out.append(
          "| %s | `%s` | %s |%n"
              .formatted(mark(result.verdict()), result.id(), cell(result.message())));
    }
    faults(report.faults(), out);
    if (all.verdict() == Verdict.PASS) {
      out.append("%nNot looked for:%n%n".formatted());
      all.notLookedFor().forEach(kind -> out.append("* %s%n".formatted(cell(kind))));
    }
    return out.toString().replace("\r\n", "\n");
  }

  /** A row of a table of files: mark, name, what is wrong first. */
  static String line(GateReport report) {
    List<Fault> faults = report.faults();
    return "| %s | `%s` | %s |%n"
        .formatted(
            mark(report.result().verdict()),
            code(report.file().toString()),
            faults.isEmpty() ? "" : cell(faults.getFirst().sentence()));
  }

  private static void faults(List<Fault> faults, StringBuilder out) {
    if (faults.isEmpty()) {
      return;
    }
    out.append("%n### What is wrong%n%n".formatted());
    for (Fault fault : faults.stream().limit(MOST_FAULTS).toList()) {
      Evidence evidence = fault.evidence();
      out.append(
          "* **%s** %s (%s): %s%n"
              .formatted(
                  evidence.severity().id(),
                  cell(evidence.rule()),
                  cell(String.join(", ", fault.checks())),
                  cell(fault.sentence())));
    }
    int more = faults.size() - MOST_FAULTS;
    if (more > 0) {
      out.append("* and %d more%n".formatted(more));
    }
  }

  private static String mark(Verdict verdict) {
    return switch (verdict) {
      case PASS -> "✅";
      case FAIL -> "❌";
      case SKIPPED -> "⏭️";
      case ERROR -> "💥";
    };
  }

  /** Text that stays in its cell and means nothing in Markdown or HTML. */
  private static String cell(String text) {
    return VisibleText.line(text.replaceAll("\\s*\\R\\s*", " "))
        .replace("\\", "\\\\")
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replaceAll("([|`*_\\[\\]])", "\\\\$1");
  }

  private static String code(String text) {
    return VisibleText.line(text.replaceAll("\\R", " ")).replace('`', '\'');
  }
}
