package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attach.MappedModels;
import org.modeltracer.attach.Origin;
import org.modeltracer.attach.RemoteContext;
import org.modeltracer.attach.RemoteListener;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.report.ReportRun;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** The contexts of traced programs, each with a tracer and a folder of its own. */
final class AttachedRuns implements RemoteListener, AutoCloseable {
  private static final String EMBEDDING = "token_embd.weight";

  private final LlamaRuntime runtime;
  private final TracerConfig config;
  private final Path out;
  private final @Nullable GgufFile named;
  private final boolean replays;
  private final LivePage page;
  private final Terminal terminal;
  private final Map<Origin, AttachedRun> runs = new LinkedHashMap<>();
  private final List<AttachedRun> ended = new ArrayList<>();
  private final List<Supplier<ReportRun>> reports = new ArrayList<>();
  private final Map<Integer, List<GgufFile>> models = new LinkedHashMap<>();
  private @Nullable AttachedRun shown;
  private int contexts;

  /**
   * Nothing is traced yet.
   *
   * @param named the model, null where it is to be found
   * @param replays whether first bad passes are run again, here and in the end
   * @param page shows the context that has run most
   */
  AttachedRuns(
      LlamaRuntime runtime,
      TracerConfig config,
      Path out,
      @Nullable GgufFile named,
      boolean replays,
      LivePage page,
      Terminal terminal) {
    this.runtime = runtime;
    this.config = config;
    this.out = out;
    this.named = named;
    this.replays = replays;
    this.page = page;
    this.terminal = terminal;
  }

  @Override
  public synchronized ModelTracer onTracer(Origin origin) {
    contexts++;
    Path folder = contexts == 1 ? out : out.resolve("context-" + contexts);
    var run = new AttachedRun(origin, config, folder, terminal, this::passed);
    runs.put(origin, run);
    return run.tracer();
  }

  private AttachedRun run(Origin origin) {
    return Objects.requireNonNull(runs.get(origin));
  }

  private synchronized void passed(AttachedRun run) {
    AttachedRun leader = shown;
    if (leader == null || run.passes() >= leader.passes()) {
      shown = run;
      page.show(run.files());
    }
  }

  /** The file that a context's weights come from: of several the one whose embedding fits. */
  synchronized Optional<GgufFile> model(Origin origin, RemoteContext context) {
    if (named != null) {
      return Optional.of(named);
    }
    return models.computeIfAbsent(origin.pid(), MappedModels::of).stream()
        .filter(file -> fits(file, context.weight(EMBEDDING)))
        .findFirst();
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
    run(origin).of(context);
    // Its files are mapped now; when it ends they may not be any more.
    models.computeIfAbsent(origin.pid(), MappedModels::of);
  }

  @Override
  public synchronized void onKnown(Origin origin, RemoteContext context) {
    run(origin)
        .known(context, model(origin, context).orElse(null), runtime)
        .ifPresent(words -> onNote(origin, words));
  }

  @Override
  public synchronized void onEnd(Origin origin, RemoteContext context) {
    AttachedRun run = runs.remove(origin);
    if (run == null) {
      return;
    }
    run.files().write();
    if (replays && context.badPass().isPresent()) {
      ended.add(run);
    } else {
      finish(run);
    }
  }

  /** Runs first bad passes again, and writes what is left to write. */
  synchronized void finish() {
    for (AttachedRun run : ended) {
      AttachedReplay.of(run, runtime, terminal);
      run.files().write();
      finish(run);
    }
    ended.clear();
  }

  private void finish(AttachedRun run) {
    if (run == shown) {
      page.last(run.files());
    }
    String name = run.name();
    Map<String, String> written = run.files().written();
    reports.add(() -> ReportRun.of(name, written));
    report(run);
    run.close();
  }

  /** What all contexts have left, to be looked at. */
  synchronized List<ReportRun> reports() {
    return reports.stream().map(Supplier::get).toList();
  }

  @Override
  public void onNote(Origin origin, String words) {
    terminal.note("modeltracer: process %d: %s".formatted(origin.pid(), words));
  }

  private void report(AttachedRun run) {
    var summary = run.tracer().summary();
    RemoteContext context = run.context();
    long dropped = context == null ? 0 : context.dropped();
    terminal.note(
        "modeltracer: process %d, %s: %d forward passes, %d rows of attention, %d anomalies%s; %s"
            .formatted(
                run.origin().pid(),
                run.file() == null ? "a model of no known file" : run.name(),
                summary.totalForwards(),
                summary.attentionTraces(),
                summary.anomaliesDetected(),
                dropped == 0 ? "" : ", %d records left out".formatted(dropped),
                run.files().folder().resolve("summary.json")));
  }

  /** Whether anything was traced at all. */
  synchronized boolean any() {
    return contexts > 0;
  }

  @Override
  public synchronized void close() {
    ended.forEach(AttachedRun::close);
    ended.clear();
  }
}
