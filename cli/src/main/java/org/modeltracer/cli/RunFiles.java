package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.List;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.export.OutputFolder;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.process.Trail;
import org.modeltracer.trace.AnomalyLog;
import org.modeltracer.trace.Json;

/**
 * The files of a run, which reach the disk however it ends.
 *
 * <p>An interrupt cancels the pass in progress and waits until the summary is written; a failed
 * assertion inside llama.cpp writes it before the process goes down. A crash that leaves no time
 * for that finds the summary as it was a little while ago.
 */
final class RunFiles {
  private static final long SECOND = 1_000_000_000L;

  /** Keeping the summary takes one part of as many of the time. */
  private static final int SHARE = 50;

  private final TracedRun run;
  private final Path folder;
  private long due = System.nanoTime();

  /** Makes the folder, and writes anomalies there from now on until the tracer is closed. */
  RunFiles(TracedRun run, Path folder, Interrupt interrupt, Terminal terminal) {
    this.run = run;
    for (String name : List.of("summary.json", "attention.json", "anomalies.jsonl")) {
      OutputFile.check("--out", folder.resolve(name));
    }
    this.folder = OutputFolder.claim(folder);
    Trail.own().results(folder);
    run.tracer().addListener(new AnomalyLog(folder.resolve("anomalies.jsonl")));
    interrupt.cancels(run.session()::cancel, this::write);
    Failures.onAbort(run.model().model().runtime(), terminal, this::write);
  }

  /** Writes the summary so far when that has not been done for a while, at little of the time. */
  void keep() {
    long now = System.nanoTime();
    if (now >= due && run.describable()) {
      OutputFile.write(folder.resolve("summary.json"), run.summary());
      long price = System.nanoTime() - now;
      due = System.nanoTime() + Math.max(SECOND, SHARE * price);
    }
  }

  /**
   * Writes {@code summary.json}, and {@code attention.json} where attention is traced; returns the
   * summary.
   */
  String write() {
    String summary = run.summary();
    OutputFile.write(folder.resolve("summary.json"), summary);
    AttentionAnalysis attention = run.analysis();
    if (attention != null) {
      OutputFile.write(
          folder.resolve("attention.json"),
          Json.pretty(JsonHead.of(run.model().file()).before(attention)));
    }
    return summary;
  }
}
