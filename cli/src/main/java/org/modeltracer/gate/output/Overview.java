package org.modeltracer.gate.output;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.Fault;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.session.RunDescription;

/**
 * What the gate says of several files together.
 *
 * @param reports on each, in order
 */
public record Overview(List<GateReport> reports) {
  private static final List<Verdict> WORST_FIRST =
      List.of(Verdict.ERROR, Verdict.FAIL, Verdict.PASS, Verdict.SKIPPED);

  /** Copies the list. */
  public Overview {
    reports = List.copyOf(reports);
  }

  /** The worst of all verdicts. */
  public Verdict verdict() {
    return WORST_FIRST.stream().filter(v -> count(v) > 0).findFirst().orElse(Verdict.SKIPPED);
  }

  /** Number of files of a verdict. */
  public long count(Verdict verdict) {
    return reports.stream().filter(r -> r.result().verdict() == verdict).count();
  }

  /**
   * As {@code overview.json} has it.
   *
   * @param summaries folder of each file's summary, relative to the overview; empty for none
   */
  public Map<String, @Nullable Object> json(List<String> summaries) {
    Map<String, @Nullable Object> json = new LinkedHashMap<>();
    json.put("schema_version", JsonHead.SCHEMA_VERSION);
    json.put("tool", RunDescription.tool());
    json.put("verdict", verdict());
    Map<String, Long> counts = new LinkedHashMap<>();
    for (Verdict verdict : Verdict.values()) {
      counts.put(verdict.id(), count(verdict));
    }
    json.put("counts", counts);
    json.put(
        "files",
        IntStream.range(0, reports.size())
            .mapToObj(i -> file(reports.get(i), summaries.isEmpty() ? null : summaries.get(i)))
            .toList());
    return json;
  }

  private static Map<String, @Nullable Object> file(GateReport report, @Nullable String summary) {
    Map<String, @Nullable Object> file = new LinkedHashMap<>();
    file.put("file", report.file().toString());
    file.put("model", report.head().model());
    file.put("verdict", report.result().verdict());
    file.put("faults", report.faults().stream().map(Fault::sentence).toList());
    file.put("summary", summary == null ? null : summary + "/summary.json");
    return file;
  }

  /** The same as Markdown: a line per file. */
  public String markdown() {
    var out = new StringBuilder("# %s%n%n| | file | |%n|---|---|---|%n".formatted(words()));
    for (GateReport report : reports) {
      out.append(Markdown.line(report));
    }
    return out.append('\n').toString().replace("\r\n", "\n");
  }

  /** Counts in words, such as {@code 3 files: 2 pass, 1 fail}. */
  public String words() {
    var parts = new ArrayList<String>();
    for (Verdict verdict : Verdict.values()) {
      if (count(verdict) > 0) {
        parts.add(count(verdict) + " " + verdict.id());
      }
    }
    return reports.size() + " files: " + String.join(", ", parts);
  }
}
