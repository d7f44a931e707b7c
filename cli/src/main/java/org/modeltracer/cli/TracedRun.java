package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.attention.report.AttentionSection;
import org.modeltracer.cache.CacheStatistics;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.terminal.AnomalyPrinter;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.PromptProgress;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.diagnose.Diagnosis;
import org.modeltracer.heads.AttentionTrace;
import org.modeltracer.lens.LensOptions;
import org.modeltracer.lens.LensTrace;
import org.modeltracer.session.Generation;
import org.modeltracer.session.RunDescription;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.AnomalyLog;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.SummarySection;
import org.modeltracer.trace.TracerConfig;

/**
 * A run from the command line: a session whose findings reach the disk however it ends.
 *
 * <p>An interrupt cancels the pass in progress and waits until the summary is written; a failed
 * assertion inside llama.cpp writes it before the process goes down.
 */
final class TracedRun implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 20;

  /** What a run may spend on reading output matrices before it begins. */
  private static final double SECONDS_OF_MULTIPLICATIONS = 4e9;

  private final LoadedModel model;
  private final Terminal terminal;
  private final Path folder;
  private final ModelTracer tracer;
  private final AnomalyLog log;
  private final TracedSession session;
  private final Diagnosis diagnosis;
  private final RunDescription description;
  private final @Nullable AttentionTrace attention;
  private final List<Integer> decided = new ArrayList<>();
  private @Nullable LensTrace lens;
  private final CountDownLatch written = new CountDownLatch(1);
  private final Thread onExit = new Thread(this::interrupted, "interrupt");
  private @Nullable CacheStatistics contents;
  private volatile boolean interrupted;

  TracedRun(
      LoadedModel model,
      SessionOptions options,
      TracerConfig config,
      Path folder,
      Terminal terminal) {
    this.model = model;
    this.terminal = terminal;
    this.folder = OutputFile.folder(folder);
    log = new AnomalyLog(folder.resolve("anomalies.jsonl"));
    tracer = new ModelTracer(config);
    tracer.addListener(log);
    tracer.addListener(new AnomalyPrinter(terminal));
    attention = config.attention() ? attention(config) : null;
    session = TracedSession.open(model.model(), options, tracer);
    if (attention != null) {
      attention.attach(tracer, session);
      tracer.addAnalysis(SummarySection.ATTENTION, () -> AttentionSection.of(attention.analysis()));
    }
    diagnosis = Diagnosis.attach(session, tracer, model.file());
    session.listen(new PromptProgress(terminal));
    description = new RunDescription(model.file(), session, options);
    model.runtime().onAbort(this::aborted);
    Runtime.getRuntime().addShutdownHook(onExit);
  }

  /** Puts a lens on the run: tracked scores are told layer by layer. */
  void look() {
    TracerConfig config = tracer.config();
    lens =
        LensTrace.attach(
            session,
            new LensOptions(false, config.logitTopK(), config.trackedTokens()),
            reading -> {
              reading.traces().forEach(tracer::recordLogitEvolution);
              if (reading.decisiveLayer() != null) {
                decided.add(reading.decisiveLayer());
              }
            });
  }

  /** Decisive layer of each token that a lens saw, in order of generation. */
  List<Integer> decided() {
    return List.copyOf(decided);
  }

  private AttentionTrace attention(TracerConfig config) {
    var trace =
        new AttentionTrace(
            model.model(), model.file(), AttentionOptions.defaults(), SECONDS_OF_MULTIPLICATIONS);
    if (!config.layers().isEmpty() || !config.heads().isEmpty()) {
      trace.absent("rollout.whole", "rollout and flow go through the traced layers and heads only");
    }
    return trace;
  }

  private void interrupted() {
    interrupted = true;
    session.cancel();
    try {
      boolean done = written.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
      if (!done) {
        write();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void aborted(String message) {
    terminal.note("modeltracer: llama.cpp failed an assertion and cannot go on: " + message);
    // The thread that failed may not be the one that traces: writing must not wait for that for
    // ever.
    Thread patience =
        Thread.ofPlatform()
            .daemon()
            .unstarted(
                () -> {
                  LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS));
                  Runtime.getRuntime().halt(ExitCode.FAILURE.code());
                });
    patience.start();
    try {
      write();
    } finally {
      Runtime.getRuntime().halt(ExitCode.FAILURE.code());
    }
  }

  ModelTracer tracer() {
    return tracer;
  }

  TracedSession session() {
    return session;
  }

  /** Generates, and remembers for the summary what was asked and what came of it. */
  Generation generate(int[] prompt, int most, Predicate<Generation.Token> onToken) {
    description.prompts().begin(prompt);
    if (attention != null) {
      attention.begin(session.decoded(prompt));
    }
    if (lens != null) {
      lens.begin(prompt);
    }
    Generation generation = session.generate(prompt, most, onToken);
    description.prompts().end(generation);
    return generation;
  }

  /** What was generated so far, prompt by prompt. */
  List<Generation> generations() {
    return description.prompts().generations();
  }

  /** Reads what the KV cache holds, for the summary and the report. */
  void readCache() {
    contents = session.readCache();
  }

  /** What was read of the KV cache, null when nobody asked. */
  @Nullable CacheStatistics cacheContents() {
    return contents;
  }

  boolean wasInterrupted() {
    return interrupted;
  }

  /**
   * Writes {@code summary.json}, and {@code attention.json} where attention is traced; returns the
   * summary.
   */
  String write() {
    description.describe(tracer);
    String json = tracer.summaryToJson();
    OutputFile.write(folder.resolve("summary.json"), json);
    if (attention != null) {
      OutputFile.write(folder.resolve("attention.json"), Json.pretty(attention.analysis()));
    }
    return json;
  }

  /** What attention did, or null where it was not traced. */
  @Nullable AttentionAnalysis analysis() {
    return attention == null ? null : attention.analysis();
  }

  Path folder() {
    return folder;
  }

  /** Whether an anomaly of at least that severity was found; never for null. */
  boolean found(@Nullable Severity least) {
    return least != null
        && tracer.anomalies().stream().anyMatch(a -> a.severity().compareTo(least) >= 0);
  }

  /** What the run amounts to. */
  ExitCode exitCode() {
    if (interrupted) {
      return ExitCode.INTERRUPTED;
    }
    return found(Severity.CRITICAL) ? ExitCode.FINDINGS : ExitCode.PASS;
  }

  @Override
  public void close() {
    try {
      diagnosis.close();
      if (lens != null) {
        lens.close();
      }
      session.close();
      tracer.close();
      log.close();
    } finally {
      written.countDown();
      if (!interrupted) {
        Runtime.getRuntime().removeShutdownHook(onExit);
      }
    }
  }
}
