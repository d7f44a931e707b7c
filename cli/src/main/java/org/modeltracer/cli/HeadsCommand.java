package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.cli.terminal.AttentionReport;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.HeadScoresReport;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.heads.AttentionTrace;
import org.modeltracer.heads.HeadProbe;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Scores every head on the standard probe. */
@Heading(Heading.Topic.ANALYSIS)
@Command(
    name = "heads",
    description = "Say what every attention head does, on random tokens and on a text.",
    footer = {
      "modeltracer heads model.gguf",
      "modeltracer heads model.gguf -f novel.txt --json",
    },
    sortOptions = false)
final class HeadsCommand implements Callable<Integer> {
  private static final String TEXT =
      "The function returns a value to the caller. When you run the program, the compiler checks"
          + " that every name is known; if a name is not known, it says where. \"Read it again,\""
          + " she said, and he read the page again, from the first line to the last.";

  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;
  @Mixin private ContextArguments context;

  @Option(
      names = "--sequences",
      paramLabel = "N",
      defaultValue = "32",
      description = "Random sequences (default: ${DEFAULT-VALUE}).")
  private int sequences;

  @Option(
      names = {"-s", "--seed"},
      paramLabel = "N",
      defaultValue = "" + HeadProbe.SEED,
      description = "Seed of the random tokens (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Heading(Heading.Topic.PROMPT)
  @Option(
      names = {"-f", "--file"},
      paramLabel = "TEXTFILE",
      description = "Text to look at beside the random tokens (default: one of our own).")
  private @Nullable Path file;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print JSON, and nothing else.")
  private boolean json;

  @Mixin private HtmlOutput html;

  @Override
  public Integer call() {
    html.prepare();
    ContextArguments.atLeast("--sequences", sequences, 1);
    var terminal = Terminal.of(spec);
    try (var loaded = LoadedModel.open(model, context, terminal)) {
      ContextOptions given = context.options(loaded.file());
      int room = Math.max(HeadProbe.longest(), given.size().tokens());
      int[] text = text(loaded.model().vocabulary(), room);
      var options =
          SessionOptions.defaults()
              .withContext(given.withContextTokens(room))
              .withReusePrefix(false);
      var config = TracerConfig.builder().activations(true).attention(true).build();
      try (var tracer = new ModelTracer(config);
          var session = TracedSession.open(loaded.model(), options, tracer);
          var broken = BrokenNumbers.watch(session, tracer, loaded.file())) {
        HeadProbe.Result result =
            new HeadProbe(loaded.model(), loaded.file(), seed)
                .run(
                    session,
                    tracer,
                    sequences,
                    text,
                    (done, all) -> terminal.progress("probe", done, all));
        if (result.scores().isEmpty()) {
          tellBothWays(loaded.file(), result, bothWays(loaded, session, tracer, text), terminal);
        } else {
          tell(loaded.file(), result, terminal);
        }
        broken.complain();
      }
      return ExitCode.PASS.code();
    }
  }

  private void tell(GgufFile gguf, HeadProbe.Result result, Terminal terminal) {
    var report = new HeadScoresReport(result);
    String all = Json.pretty(report.toJson(gguf));
    html.write(name(gguf), () -> Map.of("heads.json", all), terminal);
    if (json) {
      terminal.print(all);
    } else {
      report.print(name(gguf), terminal);
    }
  }

  /** Heads of an encoder on the text: the random tokens ask what only a causal head can answer. */
  private static AttentionAnalysis bothWays(
      LoadedModel loaded, TracedSession session, ModelTracer tracer, int[] text) {
    var trace = new AttentionTrace(loaded.model(), loaded.file(), AttentionOptions.defaults(), 0);
    trace.attach(tracer, session);
    if (text.length > 0) {
      trace.begin(text);
      session.evaluate(text, false);
    }
    return trace.analysis();
  }

  private void tellBothWays(
      GgufFile gguf, HeadProbe.Result result, AttentionAnalysis analysis, Terminal terminal) {
    if (analysis.twoWayHeads().isEmpty()) {
      throw new CliException(
          ExitCode.NOTHING, "no head to score: no layer of this model attends by softmax");
    }
    Map<String, @Nullable Object> scores = new HeadScoresReport(result).toJson(gguf);
    scores.put("two_way_heads", analysis.twoWayHeads());
    String all = Json.pretty(scores);
    html.write(name(gguf), () -> Map.of("heads.json", all), terminal);
    if (json) {
      terminal.print(all);
    } else {
      terminal.println(
          terminal.styled("bold", name(gguf))
              + "  a text of %d tokens".formatted(result.textTokens()));
      new AttentionReport(analysis, terminal).twoWay();
    }
  }

  private static String name(GgufFile gguf) {
    return gguf.path().getFileName().toString();
  }

  private int[] text(Vocabulary vocabulary, int room) {
    if (!vocabulary.usable()) {
      return new int[0];
    }
    String text = file == null ? TEXT : PromptArguments.text(file);
    int[] tokens = vocabulary.tokenize(text, true, false);
    return Arrays.copyOf(tokens, Math.min(tokens.length, room));
  }
}
