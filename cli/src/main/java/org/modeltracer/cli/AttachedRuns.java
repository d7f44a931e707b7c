package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attach.MappedModels;
import org.modeltracer.attach.Origin;
import org.modeltracer.attach.RemoteContext;
import org.modeltracer.attach.RemoteDescription;
import org.modeltracer.attach.RemoteListener;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.export.OutputFolder;
import org.modeltracer.cli.terminal.AnomalyPrinter;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.trace.AnomalyLog;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** The contexts of traced programs, each with a tracer and a folder of its own. */
final class AttachedRuns implements RemoteListener {
  private static final String EMBEDDING = "token_embd.weight";

  /** A context that is or was traced. */
  private static final class Run {
    final ModelTracer tracer;
    final Path folder;
    final long begin = System.nanoTime();
    @Nullable GgufFile model;
    boolean written;

    Run(ModelTracer tracer, Path folder) {
      this.tracer = tracer;
      this.folder = folder;
    }
  }

  private final TracerConfig config;
  private final Path out;
  private final @Nullable GgufFile named;
  private final Terminal terminal;
  private final Map<Origin, Run> runs = new LinkedHashMap<>();
  private final Map<Integer, List<GgufFile>> models = new LinkedHashMap<>();
  private int contexts;

  AttachedRuns(TracerConfig config, Path out, @Nullable GgufFile named, Terminal terminal) {
    this.config = config;
    this.named = named;
    this.terminal = terminal;
    this.out = OutputFolder.claim(out);
  }

  @Override
  public synchronized ModelTracer onTracer(Origin origin) {
    contexts++;
    Path folder = contexts == 1 ? out : OutputFolder.claim(out.resolve("context-" + contexts));
    var tracer = new ModelTracer(config);
    tracer.addListener(new AnomalyPrinter(terminal));
    tracer.addListener(new AnomalyLog(folder.resolve("anomalies.jsonl")));
    runs.put(origin, new Run(tracer, folder));
    return tracer;
  }

  /** The file that a context's weights come from: of several the one whose embedding fits. */
  synchronized Optional<GgufFile> model(Origin origin, RemoteContext context) {
    Run run = Objects.requireNonNull(runs.get(origin));
    if (run.model == null) {
      run.model =
          named != null
              ? named
              : models.computeIfAbsent(origin.pid(), MappedModels::of).stream()
                  .filter(file -> fits(file, context.weight(EMBEDDING)))
                  .findFirst()
                  .orElse(null);
    }
    return Optional.ofNullable(run.model);
  }

  private static boolean fits(GgufFile file, List<Long> seen) {
    return file.tensor(EMBEDDING)
        .filter(
            tensor ->
                seen.size() > 1
                    && tensor.shape().get(0).equals(seen.get(0))
                    && tensor.shape().get(1).equals(seen.get(1)))
        .isPresent();
  }

  @Override
  public synchronized void onContext(Origin origin, RemoteContext context) {
    // Its files are mapped now; when it ends they may not be any more.
    models.computeIfAbsent(origin.pid(), MappedModels::of);
  }

  @Override
  public synchronized void onEnd(Origin origin, RemoteContext context) {
    Run run = runs.get(origin);
    if (run == null || run.written) {
      return;
    }
    run.written = true;
    GgufFile model = model(origin, context).orElse(null);
    double seconds = (System.nanoTime() - run.begin) / 1e9;
    RemoteDescription.describe(origin, context, model, seconds);
    OutputFile.write(run.folder.resolve("summary.json"), run.tracer.summaryToJson());
    run.tracer.close();
    report(origin, context, run, model);
  }

  @Override
  public void onNote(Origin origin, String words) {
    terminal.note("modeltracer: process %d: %s".formatted(origin.pid(), words));
  }

  private void report(Origin origin, RemoteContext context, Run run, @Nullable GgufFile model) {
    var summary = run.tracer.summary();
    String what =
        model == null ? "a model of no known file" : model.path().getFileName().toString();
    terminal.note(
        "modeltracer: process %d, %s: %d forward passes, %d rows of attention, %d anomalies%s; %s"
            .formatted(
                origin.pid(),
                what,
                summary.totalForwards(),
                summary.attentionTraces(),
                summary.anomaliesDetected(),
                context.dropped() == 0 ? "" : ", %d records left out".formatted(context.dropped()),
                run.folder.resolve("summary.json")));
  }

  /** Whether anything was traced at all. */
  synchronized boolean any() {
    return contexts > 0;
  }
}
