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

  private final Traced run;
  private final Path folder;
  private final Map<String, String> written = new LinkedHashMap<>();
  private long due = System.nanoTime();

  /** Makes the folder, and writes anomalies there from now on until the tracer is closed. */
  RunFiles(Traced run, Path folder) {
    this.run = run;
    for (String name :
        List.of("summary.json", "attention.json", "pictures.json", "anomalies.jsonl")) {
      OutputFile.check("--out", folder.resolve(name));
    }
    this.folder = OutputFolder.claim(folder);
    run.tracer().addListener(new AnomalyLog(folder.resolve("anomalies.jsonl")));
  }

  /** The files of a run in this process, however that ends. */
  static RunFiles of(TracedRun run, Path folder, Interrupt interrupt, Terminal terminal) {
    var files = new RunFiles(run, folder);
    Trail.own().results(folder);
    interrupt.cancels(run.session()::cancel, files::write);
    Failures.onAbort(run.model().model().runtime(), terminal, files::write);
    return files;
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
   * pictures.json} where there is something to draw; returns the summary.
   */
  String write() {
    String summary = run.summary();
    keep("summary.json", summary);
    AttentionAnalysis attention = run.analysis();
    JsonHead head = run.head();
    if (attention != null && head != null) {
      keep("attention.json", Json.pretty(head.before(attention)));
    }
    String pictures = pictures();
    if (!pictures.isEmpty()) {
      keep("pictures.json", pictures);
    }
    return summary;
  }

  private void keep(String name, String json) {
    OutputFile.write(folder.resolve(name), json);
    written.put(name, json);
  }

  /** {@code pictures.json} as it would be written now; empty where there is nothing to draw. */
  private String pictures() {
    JsonHead head = run.head();
    Record pictures = run.pictures();
    return head == null || pictures == null ? "" : head.line(pictures);
  }

  /** Documents written last, by name. */
  Map<String, String> written() {
    return written;
  }

  /** The same with pictures as they would be written now. */
  Map<String, String> current() {
    var documents = new LinkedHashMap<>(written);
    String pictures = pictures();
    if (!pictures.isEmpty()) {
      documents.put("pictures.json", pictures);
    }
    return documents;
  }

  /** What is written about. */
  Traced run() {
    return run;
  }

  /** Where it is written. */
  Path folder() {
    return folder;
  }
}
