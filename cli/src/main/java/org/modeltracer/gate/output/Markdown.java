package org.modeltracer.gate.output;

import java.util.List;
import org.modeltracer.gate.GateResult;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.model.VisibleText;

/** What the gate says as Markdown, for the summary of a CI job. */
public final class Markdown {
  private static final int MOST_EVIDENCE = 20;

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
    for (CheckResult result : all.results()) {
      out.append(
          "| %s | `%s` | %s |%n"
              .formatted(mark(result.verdict()), result.id(), cell(result.message())));
    }
    for (CheckResult result : all.results()) {
      if (result.verdict() == Verdict.FAIL || result.verdict() == Verdict.ERROR) {
        evidence(result, out);
      }
    }
    return out.toString().replace("\r\n", "\n");
  }

  private static void evidence(CheckResult result, StringBuilder out) {
    List<Evidence> shown = result.evidence().stream().limit(MOST_EVIDENCE).toList();
    if (shown.isEmpty()) {
      return;
    }
    out.append("%n### `%s`%n%n".formatted(result.id()));
    for (Evidence evidence : shown) {
      out.append(
          "* **%s** %s: %s%n"
              .formatted(
                  evidence.severity().id(), cell(evidence.rule()), cell(evidence.message())));
    }
    int more = result.evidence().size() - shown.size();
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
