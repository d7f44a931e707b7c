package org.modeltracer.cli;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.probe.Generation;
import org.modeltracer.probe.SessionOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Runs a model on a prompt and says what was seen inside. */
@Command(
    name = "run",
    description = "Run a model on a prompt, trace it, and write summary.json.",
    sortOptions = false)
final class RunCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;
  @Mixin private PromptArguments prompt;
  @Mixin private SamplingArguments sampling;
  @Mixin private ContextArguments context;
  @Mixin private TraceArguments trace;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "modeltracer-out",
      description = "Folder for summary.json and anomalies.jsonl (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Option(
      names = "--on-anomaly",
      paramLabel = "WHAT",
      defaultValue = "continue",
      description =
          "continue, stop at the first anomaly of any weight, or stop-critical"
              + " (default: ${DEFAULT-VALUE}).")
  private String onAnomaly = "continue";

  @Option(names = "--json", description = "Print the summary to stdout, and nothing else.")
  private boolean json;

  @Override
  public Integer call() {
    var terminal = new Terminal(spec.commandLine().getOut(), spec.commandLine().getErr());
    try (var loaded = LoadedModel.open(model, terminal)) {
      int[] tokens = prompt.tokens(loaded.model().vocabulary());
      SessionOptions options =
          SessionOptions.defaults()
              .withContext(context.options(loaded.file()))
              .withSampler(sampling.options())
              .withExtraSites(trace.extraSites());
      return run(loaded, options, tokens, terminal).code();
    }
  }

  private ExitCode run(
      LoadedModel loaded, SessionOptions options, int[] tokens, Terminal terminal) {
    var report = new RunReport(terminal);
    Severity stopAt = stopAt();
    try (var run = new TracedRun(loaded, options, trace.config(), out, terminal)) {
      run.session().check(tokens);
      if (trace.lens()) {
        run.look();
      }
      if (!json) {
        report.heading(loaded, run, options);
        echo(terminal, loaded.model().vocabulary(), tokens);
      }
      var text = new TextStream(json ? piece -> {} : terminal::print);
      String summary;
      Generation generation;
      try {
        generation =
            run.generate(
                tokens,
                sampling.predict,
                token -> {
                  text.accept(token.bytes());
                  return !run.found(stopAt);
                });
        text.end();
      } finally {
        summary = run.write();
      }
      if (json) {
        terminal.print(summary);
      } else {
        terminal.println("");
        report.findings(run, generation);
      }
      return run.found(stopAt) && run.exitCode() == ExitCode.PASS
          ? ExitCode.FINDINGS
          : run.exitCode();
    }
  }

  /** Severity from which on generation stops; null for none. */
  private @Nullable Severity stopAt() {
    return switch (onAnomaly) {
      case "continue" -> null;
      case "stop" -> Severity.WARNING;
      case "stop-critical" -> Severity.CRITICAL;
      default ->
          throw new CliException(
              ExitCode.USAGE,
              "--on-anomaly takes continue, stop or stop-critical, not '" + onAnomaly + "'");
    };
  }

  private static void echo(Terminal terminal, Vocabulary vocabulary, int[] tokens) {
    var bytes = new java.io.ByteArrayOutputStream();
    for (int token : tokens) {
      bytes.writeBytes(vocabulary.piece(token, false));
    }
    String shown = bytes.toString(StandardCharsets.UTF_8).replace("@|", "@ |");
    terminal.print(terminal.styled("@|faint " + shown + "|@"));
  }
}
