package org.modeltracer.cli;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.export.OutputFolder;
import org.modeltracer.cli.terminal.CheckTable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.output.Annotations;
import org.modeltracer.gate.output.GateReport;
import org.modeltracer.gate.output.JunitXml;
import org.modeltracer.gate.output.Markdown;
import org.modeltracer.gate.output.Overview;
import org.modeltracer.gate.output.Sarif;
import org.modeltracer.report.ReportPage;
import org.modeltracer.report.ReportRun;
import org.modeltracer.trace.Json;
import picocli.CommandLine.Option;

/** Where the gate writes its verdict, and in which forms. */
@Heading(Heading.Topic.OUTPUT)
final class CheckOutputs {
  private static final String STEP_SUMMARY = "GITHUB_STEP_SUMMARY";

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "modeltracer-out/check",
      description =
          "Folder for summary.json (default: ${DEFAULT-VALUE}); of several files, a folder for"
              + " each, and overview.json.")
  private Path out;

  @Option(names = "--no-summary", description = "Write no summary.json.")
  private boolean noSummary;

  @Option(names = "--junit", paramLabel = "FILE", description = "Write JUnit XML.")
  private @Nullable Path junit;

  @Option(names = "--sarif", paramLabel = "FILE", description = "Write SARIF 2.1.0.")
  private @Nullable Path sarif;

  @Option(
      names = "--markdown",
      paramLabel = "FILE",
      description = "Write Markdown; in GitHub Actions the job's summary gets it anyway.")
  private @Nullable Path markdown;

  @Option(
      names = "--html",
      paramLabel = "FILE",
      description = "Write a page to look at, one file that asks nobody for anything.")
  private @Nullable Path html;

  @Option(names = "--annotations", description = "Print annotations for GitHub Actions.")
  private boolean annotations;

  @Option(names = "--json", description = "Print JSON to stdout, and nothing else.")
  boolean json;

  /** Makes the folders, so that a wrong name is reported before the work and not after it. */
  void prepare() {
    if (!noSummary) {
      OutputFile.prepare("--out", out.resolve("summary.json"));
    }
    prepare("--junit", junit);
    prepare("--sarif", sarif);
    prepare("--markdown", markdown);
    prepare("--html", html);
  }

  /** Whether hashes of the file are asked for. */
  boolean summarizes() {
    return !noSummary;
  }

  private static void prepare(String option, @Nullable Path file) {
    if (file != null) {
      OutputFile.prepare(option, file);
    }
  }

  /**
   * Prints the verdict, whatever becomes of the files, and writes all that was asked for.
   *
   * @throws CliException for the first file that cannot be written, after all others
   */
  void write(List<GateReport> reports, Terminal terminal) {
    print(reports, terminal);
    var writes = new ArrayList<Runnable>();
    if (!noSummary && !reports.isEmpty()) {
      writes.add(
          () -> {
            summaries(reports);
            terminal.note(
                "modeltracer: wrote "
                    + out.resolve(reports.size() > 1 ? "overview.json" : "summary.json"));
          });
    }
    String text =
        (reports.size() > 1 ? new Overview(reports).markdown() + "\n" : "")
            + reports.stream().map(Markdown::of).collect(Collectors.joining("\n"));
    Path junitFile = junit;
    if (junitFile != null) {
      writes.add(() -> OutputFile.write(junitFile, JunitXml.of(reports)));
    }
    Path sarifFile = sarif;
    if (sarifFile != null) {
      writes.add(() -> OutputFile.write(sarifFile, Sarif.of(reports)));
    }
    Path markdownFile = markdown;
    if (markdownFile != null) {
      writes.add(() -> OutputFile.write(markdownFile, text));
    }
    Path htmlFile = html;
    if (htmlFile != null && !reports.isEmpty()) {
      writes.add(() -> OutputFile.write(htmlFile, page(reports)));
    }
    CliException first = null;
    for (Runnable write : writes) {
      try {
        write.run();
      } catch (CliException e) {
        if (first == null) {
          first = e;
        } else {
          terminal.note("modeltracer: " + e.getMessage());
        }
      }
    }
    stepSummary(text, terminal);
    if (first != null) {
      throw first;
    }
  }

  /** A run for each file, named as people named it. */
  private static String page(List<GateReport> reports) {
    List<ReportRun> runs =
        reports.stream()
            .map(
                report ->
                    ReportRun.of(
                        String.valueOf(report.file()),
                        Map.of("check.json", Json.line(report.json()))))
            .toList();
    return ReportPage.of(runs).html();
  }

  private void print(List<GateReport> reports, Terminal terminal) {
    if (json) {
      Object all =
          reports.size() == 1
              ? reports.getFirst().json()
              : reports.stream().map(GateReport::json).toList();
      terminal.print(Json.pretty(all));
    } else {
      var table = new CheckTable(terminal);
      reports.forEach(table::print);
      if (reports.size() > 1) {
        table.print(new Overview(reports));
      }
    }
    if (annotations) {
      for (GateReport report : reports) {
        terminal.annotate(Annotations.of(report), json);
      }
    }
  }

  private void summaries(List<GateReport> reports) {
    OutputFolder.claim(out);
    Set<Path> taken = new HashSet<>();
    var folders = new ArrayList<String>();
    for (GateReport report : reports) {
      Path folder = out;
      if (reports.size() > 1) {
        String name = String.valueOf(report.file().getFileName());
        folder = out.resolve(name);
        for (int n = 2; !taken.add(folder); n++) {
          folder = out.resolve(name + "-" + n);
        }
      }
      OutputFile.write(
          (folder.equals(out) ? folder : OutputFolder.claim(folder)).resolve("summary.json"),
          Json.pretty(report.summary()));
      folders.add(String.valueOf(folder.getFileName()));
    }
    if (reports.size() > 1) {
      OutputFile.write(
          out.resolve("overview.json"), Json.pretty(new Overview(reports).json(folders)));
    }
  }

  /** GitHub Actions names a file that the summary of the job is appended to. */
  private static void stepSummary(String text, Terminal terminal) {
    String file = System.getenv(STEP_SUMMARY);
    if (file != null && !file.isEmpty()) {
      try {
        OutputFile.append(Path.of(file), text);
      } catch (CliException | InvalidPathException e) {
        terminal.note("modeltracer: note: " + STEP_SUMMARY + ": " + e.getMessage());
      }
    }
  }
}
