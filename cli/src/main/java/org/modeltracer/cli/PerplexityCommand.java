package org.modeltracer.cli;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.export.StreamedFile;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.PerplexityReport;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.language.LogitDivergence;
import org.modeltracer.language.LogitScore;
import org.modeltracer.language.Perplexity;
import org.modeltracer.language.PerplexityTally;
import org.modeltracer.language.StoredLogits;
import org.modeltracer.language.TextReading;
import org.modeltracer.language.TextReading.Prediction;
import org.modeltracer.language.TextWindows;
import org.modeltracer.language.TokenDivergence;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.quant.Comparison;
import org.modeltracer.quant.Setup;
import org.modeltracer.report.Pictures;
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

/** Measures how well a model predicts a text, and keeps or meets a reference's predictions. */
@Heading(Heading.Topic.ANALYSIS)
@Command(
    name = "perplexity",
    description = {
      "Measure how well the model predicts a text.",
      "As llama-perplexity does, beside what a model of the text's token counts and chance would"
          + " give.",
    },
    footer = {
      "modeltracer perplexity model.gguf -f wiki.test.raw -c 512",
      "modeltracer perplexity model-f16.gguf -f text.txt --save-kl-base f16.kld",
      "modeltracer perplexity model-Q4_K_M.gguf --kl-base f16.kld",
    },
    sortOptions = false)
final class PerplexityCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;
  @Mixin private PromptArguments prompt;
  @Mixin private ContextArguments context;

  @Option(
      names = "--chunks",
      paramLabel = "N",
      defaultValue = "-1",
      description = "Windows of -c tokens to read at most (default: all of the text).")
  private int chunks;

  @Heading(Heading.Topic.COMPARISON)
  @Option(
      names = {"--kl-base", "--kl-divergence-base"},
      paramLabel = "FILE",
      description =
          "Compare with a reference's predictions, written by --save-kl-base or llama-perplexity;"
              + " its text is read.")
  private @Nullable Path base;

  @Heading(Heading.Topic.OUTPUT)
  @Option(
      names = {"--save-kl-base", "--save-all-logits"},
      paramLabel = "FILE",
      description = "Write the predictions, for --kl-base and llama-perplexity.")
  private @Nullable Path save;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print JSON, and nothing else.")
  private boolean json;

  @Mixin private HtmlOutput html;

  @Override
  public Integer call() {
    if (base != null && prompt.given()) {
      throw new CliException(ExitCode.USAGE, "--kl-base brings its own text: leave the prompt out");
    }
    html.prepare();
    if (save != null) {
      OutputFile.prepare("--save-kl-base", save);
    }
    var terminal = Terminal.of(spec);
    try (var interrupt = new Interrupt();
        var loaded = LoadedModel.open(model, context, terminal);
        StoredLogits stored =
            base == null ? null : StoredLogits.open(base, loaded.model().vocabulary())) {
      ContextOptions settings = settings(loaded, stored);
      TextWindows text = limited(stored == null ? text(loaded, settings) : stored.text());
      var options = SessionOptions.defaults().withContext(settings);
      try (var tracer = ModelTracer.quiet(TracerConfig.disabled());
          var session = TracedSession.open(loaded.model(), options, tracer)) {
        interrupt.cancels(session::cancel);
        if (!loaded.file().causal() || !session.generates()) {
          throw new CliException(ExitCode.NOTHING, "this model does not predict what follows");
        }
        var pictures = new Pictures(loaded.model(), true);
        if (html.wanted()) {
          session.listen(pictures);
        }
        Measured measured = measure(loaded.model(), session, text, stored, terminal);
        pictures.compare(measured.predicted());
        return tell(loaded, text, measured, pictures.picture(), terminal);
      }
    }
  }

  /** What came of the reading: the perplexity, and the divergence where there is a reference. */
  private record Measured(
      Perplexity perplexity,
      @Nullable LogitDivergence divergence,
      List<TokenDivergence> predicted) {}

  private Measured measure(
      LlamaModel of,
      TracedSession session,
      TextWindows text,
      @Nullable StoredLogits stored,
      Terminal terminal) {
    var tally = new PerplexityTally(text, of.vocabulary());
    var score = new LogitScore();
    Prediction all = tally;
    if (stored != null) {
      all = all.then((at, logits, next) -> stored.score(score, at, logits, next));
    }
    if (save == null) {
      read(session, text, all, terminal);
    } else {
      save(session, of.vocabulary().size(), text, all, save, terminal);
    }
    return new Measured(tally.result(), stored == null ? null : score.result(), score.tokens());
  }

  private static void save(
      TracedSession session,
      int vocabulary,
      TextWindows text,
      Prediction others,
      Path file,
      Terminal terminal) {
    if (text.windows().getFirst().length < 4) {
      throw new CliException(ExitCode.USAGE, "--save-kl-base: a text of 4 tokens is the least");
    }
    try (var streamed = new StreamedFile(file)) {
      try (var writer = new StoredLogits.Writer(streamed.stream(), text, vocabulary)) {
        read(session, text, others.then(writer), terminal);
      }
      streamed.publish();
    } catch (UncheckedIOException e) {
      throw new CliException(
          ExitCode.FAILURE, "cannot write %s: %s".formatted(file, e.getMessage()));
    }
  }

  private static void read(
      TracedSession session, TextWindows text, Prediction prediction, Terminal terminal) {
    TextReading.read(
        session,
        text,
        prediction,
        (done, all) -> terminal.progress("reading", (double) done, (double) all));
  }

  private ContextOptions settings(LoadedModel loaded, @Nullable StoredLogits stored) {
    ContextOptions given = context.options(loaded.file());
    int window =
        stored != null
            ? stored.window()
            : context.context > 0
                ? context.context
                : Math.clamp(
                    loaded.file().trainedContext().orElse(Comparison.WINDOW), 2, Comparison.WINDOW);
    return given.withContextTokens(window).withBatch(Setup.MICRO_BATCH, Setup.MICRO_BATCH);
  }

  private TextWindows text(LoadedModel loaded, ContextOptions settings) {
    LlamaModel of = loaded.model();
    if (!prompt.given() && !of.vocabulary().usable()) {
      throw new CliException(
          ExitCode.USAGE, "this model has no vocabulary to read a text with; give --tokens 1,2,3");
    }
    int[] tokens =
        prompt.given()
            ? prompt.tokens(of.vocabulary())
            : of.vocabulary().tokenize(Comparison.defaultText(), true, false);
    if (tokens.length < 2) {
      throw new CliException(ExitCode.USAGE, "a text of one token has nothing to predict");
    }
    return TextWindows.of(tokens, settings.size().tokens(), of.vocabulary());
  }

  private TextWindows limited(TextWindows text) {
    return chunks < 0
        ? text
        : new TextWindows(text.windows().subList(0, Math.clamp(chunks, 1, text.windows().size())));
  }

  private int tell(
      LoadedModel loaded, TextWindows text, Measured measured, Record pictures, Terminal terminal) {
    Perplexity p = measured.perplexity();
    var report =
        new PerplexityReport(
            loaded.file(), text.windows().getFirst().length, p, measured.divergence());
    html.write(
        loaded.name(),
        () ->
            Map.of(
                "perplexity.json",
                Json.line(report.toJson()),
                "pictures.json",
                JsonHead.of(loaded.file()).line(pictures)),
        terminal);
    if (json) {
      terminal.print(Json.pretty(report.toJson()));
    } else {
      report.print(terminal);
    }
    if (p.positions() + p.notFinite() == 0) {
      return ExitCode.NOTHING.code();
    }
    boolean sound = p.notFinite() == 0 && p.nats() < p.unigramNats();
    return (sound ? ExitCode.PASS : ExitCode.FINDINGS).code();
  }
}
