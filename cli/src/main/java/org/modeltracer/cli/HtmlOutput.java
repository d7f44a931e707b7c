package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.report.ReportPage;
import org.modeltracer.report.ReportRun;
import picocli.CommandLine.Option;

/** The page of what a command found. */
@Heading(Heading.Topic.OUTPUT)
final class HtmlOutput {
  @Option(
      names = "--html",
      paramLabel = "FILE",
      description = "Write a page to look at, one file that asks nobody for anything.")
  private @Nullable Path file;

  /** Whether a page is asked for. */
  boolean wanted() {
    return file != null;
  }

  /** Refuses before the work what cannot be written after it. */
  void prepare() {
    if (file != null) {
      OutputFile.prepare("--html", file);
    }
  }

  /**
   * Writes the page of one run, if one is asked for.
   *
   * @param name what the run is called
   * @param documents gives its JSON by file name; not asked where no page is
   */
  void write(String name, Supplier<Map<String, String>> documents, Terminal terminal) {
    if (file != null) {
      write(List.of(ReportRun.of(name, documents.get())), terminal);
    }
  }

  /** Writes the page of several runs, if one is asked for. */
  void write(List<ReportRun> runs, Terminal terminal) {
    if (file != null) {
      OutputFile.write(file, ReportPage.of(runs).html());
      terminal.note("modeltracer: wrote " + file);
    }
  }
}
