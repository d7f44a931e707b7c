package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
  private final Map<String, String> written = new LinkedHashMap<>();
  private long due = System.nanoTime();

  /** Makes the folder, and writes anomalies there from now on until the tracer is closed. */
  RunFiles(TracedRun run, Path folder, Interrupt interrupt, Terminal terminal) {
    this.run = run;
    for (String name :
        List.of("summary.json", "attention.json", "pictures.json", "anomalies.jsonl")) {
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
      keep("summary.json", run.summary());
      long price = System.nanoTime() - now;
      due = System.nanoTime() + Math.max(SECOND, SHARE * price);
    }
  }

  /**
   * Writes {@code summary.json}, {@code attention.json} where attention is traced, and {@code
   * pictures.json}; returns the summary.
   */
  String write() {
    String summary = run.summary();
    keep("summary.json", summary);
    AttentionAnalysis attention = run.analysis();
    JsonHead head = JsonHead.of(run.model().file());
    if (attention != null) {
      keep("attention.json", Json.pretty(head.before(attention)));
    }
    keep("pictures.json", pictures());
    return summary;
  }

  private void keep(String name, String json) {
    OutputFile.write(folder.resolve(name), json);
    written.put(name, json);
  }

  /** {@code pictures.json} as it would be written now. */
  String pictures() {
    return Json.line(JsonHead.of(run.model().file()).before(run.pictures())) + "\n";
  }

  /** Documents written last, by name. */
  Map<String, String> written() {
    return written;
  }
}
