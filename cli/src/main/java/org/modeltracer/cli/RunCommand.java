package org.modeltracer.cli;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.cli.terminal.TextStream;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.session.SessionOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Runs a model on a prompt and says what was seen inside. */
@Heading(Heading.Topic.OUTPUT)
@Command(
    name = "run",
    description = {
      "Run a model on a prompt, trace it, and write summary.json.",
      "With -p or -f given more than once, prompts run in turn in one session, and each reuses what"
          + " the KV cache holds of it.",
    },
    footer = {
      "modeltracer run model.gguf -p \"Once upon a time\" -n 64",
      "modeltracer run model.gguf --chat -sys \"Be brief.\" -p \"Hello\"",
      "modeltracer run model.gguf -f prompt.txt --temp 0 --trace lightweight",
      "modeltracer run model.gguf --tokens 1,15043 --trace-layers 0-2 --json",
    },
    sortOptions = false)
final class RunCommand implements Callable<Integer> {
  private static final int UNTIL_END = -1;
  private static final int UNTIL_FULL = -2;

  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;
  @Mixin private PromptArguments prompt;
  @Mixin private ChatArguments chat;

  @Heading(Heading.Topic.SAMPLING)
  @Option(
      names = {"-n", "--predict", "--n-predict"},
      paramLabel = "N",
      defaultValue = "128",
      description =
          "Tokens to generate: -1 for until the model ends its text, -2 for until the context is"
              + " full (default: ${DEFAULT-VALUE}).")
  private int predict;

  @Mixin private ChoiceArguments choice;
  @Mixin private ContextArguments context;
  @Mixin private CacheArguments cache;
  @Mixin private TraceArguments trace;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "modeltracer-out/run",
      description = "Folder for summary.json and anomalies.jsonl (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Heading(Heading.Topic.TRACING)
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

  @Mixin private HtmlOutput html;
  @Mixin private LivePage live;

  @Override
  public Integer call() {
    html.prepare();
    ContextArguments.atLeast("-n", predict, UNTIL_FULL);
    chat.check(prompt.tokens);
    Severity stopAt = stopAt();
    var terminal = Terminal.of(spec);
    try (var interrupt = new Interrupt();
        var loaded = LoadedModel.open(model, context, terminal)) {
      trace.check(loaded.model());
      List<int[]> prompts = prompt.all(text -> chat.tokens(loaded.model(), text));
      loaded.remarks(prompts, terminal);
      SessionOptions options =
          SessionOptions.defaults()
              .withContext(context.options(loaded.file()))
              .withSampler(choice.options())
              .withCache(cache.policy())
              .withExtraSites(trace.extraSites());
      try (var run = new TracedRun(loaded, options, trace.config(), terminal);
          LivePage page = live.open(terminal)) {
        prompts.forEach(run.session()::check);
        cache.check(run.session());
        if (trace.lens()) {
          run.look();
        }
        var files = RunFiles.of(run, out, interrupt, terminal);
        var report = new RunReport(run, terminal);
        if (!json) {
          report.heading(options);
        }
        String summary;
        try {
          for (int[] tokens : prompts) {
            if (interrupt.requested() || run.found(stopAt)) {
              break;
            }
            generate(run, tokens, stopAt, files, terminal);
          }
          if (cache.statistics) {
            run.readCache();
          }
        } finally {
          summary = files.write();
          page.last(files);
        }
        html.write(loaded.name(), files::written, terminal);
        if (json) {
          terminal.print(summary);
        } else {
          report.findings(out);
        }
        return exitCode(run, stopAt, interrupt).code();
      }
    }
  }

  private void generate(
      TracedRun run, int[] tokens, @Nullable Severity stopAt, RunFiles files, Terminal terminal) {
    if (!json) {
      echo(terminal, run.model().model().vocabulary(), tokens);
    }
    var text = new TextStream(json ? piece -> {} : terminal::print);
    run.generate(
        tokens,
        chat.wanted() ? ChatArguments.sent(run.model().model().vocabulary(), tokens) : null,
        most(run, tokens),
        token -> {
          text.accept(token.bytes());
          files.keep();
          live.show(files);
          return !run.found(stopAt);
        });
    text.end();
    if (!json) {
      terminal.println("");
    }
  }

  /** Tokens to generate, one more than there is room for: the last need not be read. */
  private int most(TracedRun run, int[] tokens) {
    return switch (predict) {
      case UNTIL_END -> Integer.MAX_VALUE;
      case UNTIL_FULL -> {
        int read = run.session().decoded(tokens).length;
        yield run.session().context().sequenceTokens() - read + 1;
      }
      default -> predict;
    };
  }

  private static ExitCode exitCode(TracedRun run, @Nullable Severity stopAt, Interrupt interrupt) {
    if (interrupt.requested()) {
      return ExitCode.INTERRUPTED;
    }
    return run.found(Severity.CRITICAL) || run.found(stopAt) ? ExitCode.FINDINGS : ExitCode.PASS;
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

  /** The prompt; of a chat, with the marks around the message. */
  private void echo(Terminal terminal, Vocabulary vocabulary, int[] tokens) {
    var bytes = new ByteArrayOutputStream();
    for (int token : tokens) {
      bytes.writeBytes(vocabulary.piece(token, chat.wanted()));
    }
    terminal.print(terminal.styled("faint", bytes.toString(StandardCharsets.UTF_8)));
  }
}
