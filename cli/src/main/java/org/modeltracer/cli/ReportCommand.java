package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.report.ReportPage;
import org.modeltracer.report.ReportRun;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Makes one page of results that are on disk. */
@Heading(Heading.Topic.OUTPUT)
@Command(
    name = "report",
    description = {
      "Make one page of results on disk, to be looked at in a browser.",
      "The page is one file, asks nobody for anything, and shows two runs side by side.",
    },
    footer = {
      "modeltracer report modeltracer-out/run",
      "modeltracer report q4/diff.json q8/diff.json --html quantizations.html",
    },
    sortOptions = false)
final class ReportCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "DIR|FILE…",
      arity = "1..*",
      description = "Folders that commands wrote into, and JSON files that they wrote.")
  private List<Path> results;

  @Option(
      names = "--html",
      paramLabel = "FILE",
      defaultValue = "report.html",
      description = "The page (default: ${DEFAULT-VALUE}).")
  private Path html;

  @Override
  public Integer call() {
    OutputFile.check("--html", html);
    List<ReportRun> runs = ReportRun.read(results);
    OutputFile.prepare("--html", html);
    OutputFile.write(html, ReportPage.of(runs).html());
    Terminal.of(spec)
        .println("Wrote " + html + " with " + runs.size() + (runs.size() == 1 ? " run" : " runs"));
    return ExitCode.PASS.code();
  }
}
