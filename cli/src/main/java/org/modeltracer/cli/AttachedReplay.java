package org.modeltracer.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.attach.BadPass;
import org.modeltracer.attach.RemoteContext;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.diagnose.Diagnosis;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.ModelTracer;

/**
 * The root cause of the bad values of a traced program: its tokens up to the first bad pass run
 * again in a session of our own, whose passes can be decoded twice.
 */
final class AttachedReplay {
  private static final int ROOM = 256;

  private AttachedReplay() {}

  /** Runs the first bad pass of a run again, and attaches what it shows; says how that went. */
  static void of(AttachedRun run, LlamaRuntime runtime, Terminal terminal) {
    RemoteContext context = Objects.requireNonNull(run.context());
    BadPass pass = context.badPass().orElseThrow();
    GgufFile file = run.file();
    String problem = problem(pass, file);
    if (problem != null || file == null) {
      say(run, terminal, "cannot be run again: " + problem);
      return;
    }
    try {
      Optional<RootCause> cause = cause(pass, file, context.usesFlashAttention(), run, runtime);
      cause.ifPresent(found -> attach(run.tracer(), pass, found));
      say(
          run,
          terminal,
          cause
              .map(found -> "replayed here: " + found.message())
              .orElse(
                  "replayed here, %d tokens are sound: what the program saw does not come from them"
                      .formatted(pass.tokens().length)));
    } catch (LlamaException e) {
      say(run, terminal, "cannot be run again: " + e.getMessage());
    }
  }

  private static @Nullable String problem(BadPass pass, @Nullable GgufFile file) {
    return file == null
        ? "the model's file is not known; -m names it"
        : pass.isWhole() ? null : "it began before this did, so not all of its tokens are known";
  }

  private static void say(AttachedRun run, Terminal terminal, String words) {
    terminal.note(
        "modeltracer: process %d: the first bad pass %s".formatted(run.origin().pid(), words));
  }

  private static Optional<RootCause> cause(
      BadPass pass, GgufFile file, boolean flash, AttachedRun run, LlamaRuntime runtime) {
    LoadChecks.read(file.path());
    int[] tokens = pass.tokens();
    ContextOptions context =
        ContextOptions.defaults()
            .withContextTokens(tokens.length + ROOM)
            .withFlashAttention(flash ? FlashAttention.ON : FlashAttention.OFF);
    SessionOptions options = SessionOptions.defaults().withContext(context);
    try (var model = runtime.open(file.path());
        var tracer = ModelTracer.quiet(run.tracer().config());
        var session = TracedSession.open(model, options, tracer);
        var diagnosis = Diagnosis.attach(session, tracer, file)) {
      session.evaluate(tokens, false);
      int replays = diagnosis.replays();
      return tracer.anomalies().stream()
          .map(Anomaly::rootCause)
          .filter(Objects::nonNull)
          .findFirst()
          .map(cause -> noted(cause, tokens.length, replays));
    }
  }

  private static RootCause noted(RootCause cause, int tokens, int replays) {
    List<String> notes = new ArrayList<>();
    notes.add(
        "from a replay of the program's first %d tokens in a process of ours (%d passes decoded"
                .formatted(tokens, replays)
            + " twice), not seen in the program itself");
    notes.addAll(cause.notes());
    return new RootCause(
        cause.node(),
        cause.op(),
        cause.layer(),
        cause.position(),
        cause.cause(),
        cause.weight(),
        cause.weightIndex(),
        cause.weightBadCount(),
        cause.weightBlock(),
        cause.blockPart(),
        cause.inputs(),
        cause.message(),
        notes);
  }

  private static void attach(ModelTracer tracer, BadPass pass, RootCause cause) {
    for (Anomaly anomaly : tracer.anomalies()) {
      Integer forward = anomaly.forward();
      if (anomaly.severity() == Severity.CRITICAL && forward != null && forward >= pass.forward()) {
        tracer.attachRootCause(anomaly.id(), cause);
      }
    }
  }
}
