package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.export.OutputFolder;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.LensReport;
import org.modeltracer.cli.terminal.PromptProgress;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.lens.LensOptions;
import org.modeltracer.lens.LensTrace;
import org.modeltracer.lens.PositionReading;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.session.Generation;
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

/** Shows what a model would say after every layer. */
@Heading(Heading.Topic.ANALYSIS)
@Command(
    name = "lens",
    description = "Show what the model would say after every layer: the logit lens.",
    footer = {
      "modeltracer lens model.gguf -p \"The capital of France is\"",
      "modeltracer lens model.gguf -p \"Once\" -n 3 --track Paris,London",
    },
    sortOptions = false)
final class LensCommand implements Callable<Integer> {
  private static final long STATES = 64L << 20;
  private static final int LEAST_BATCH = 16;

  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;
  @Mixin private PromptArguments prompt;
  @Mixin private ChatArguments chat;

  @Heading(Heading.Topic.SAMPLING)
  @Option(
      names = {"-n", "--predict", "--n-predict"},
      paramLabel = "N",
      defaultValue = "1",
      description = "Tokens to generate, each of which is looked at (default: ${DEFAULT-VALUE}).")
  private int predict;

  @Option(
      names = "--all-positions",
      description = "Look at every position of the prompt, not only at its last.")
  private boolean allPositions;

  @Option(
      names = "--top",
      paramLabel = "N",
      defaultValue = "5",
      description = "Most likely tokens listed per layer (default: ${DEFAULT-VALUE}).")
  private int top;

  @Option(
      names = "--track",
      paramLabel = "TOKEN,…",
      split = ",",
      description =
          "Tokens to follow through all layers, by id or by text"
              + " (default: the most likely in the end and the chosen one).")
  private List<String> track = List.of();

  @Mixin private ChoiceArguments choice;
  @Mixin private ContextArguments context;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--out", paramLabel = "DIR", description = "Folder to write lens.json into.")
  private @Nullable Path out;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print JSON, and nothing else.")
  private boolean json;

  @Mixin private HtmlOutput html;

  @Override
  public Integer call() {
    html.prepare();
    ContextArguments.atLeast("-n", predict, 0);
    ContextArguments.atLeast("--top", top, 1);
    chat.check(prompt.tokens);
    if (out != null) {
      OutputFile.check("--out", out.resolve("lens.json"));
    }
    var terminal = Terminal.of(spec);
    try (var loaded = LoadedModel.open(model, context, terminal)) {
      Vocabulary vocabulary = loaded.model().vocabulary();
      int[] tokens = prompt.tokens(text -> chat.tokens(loaded.model(), text));
      loaded.remarks(List.of(tokens), terminal);
      var lens = new LensOptions(allPositions, top, new TrackedTokens(vocabulary).ids(track));
      look(loaded, tokens, lens, terminal);
      return ExitCode.PASS.code();
    }
  }

  private void tell(LoadedModel loaded, LensReport report, Terminal terminal) {
    String all = Json.pretty(report.toJson());
    if (out != null) {
      OutputFile.write(OutputFolder.claim(out).resolve("lens.json"), all);
    }
    html.write(loaded.name(), () -> Map.of("lens.json", all), terminal);
    if (json) {
      terminal.print(all);
    } else {
      report.print(terminal);
    }
  }

  private void look(LoadedModel loaded, int[] tokens, LensOptions lens, Terminal terminal) {
    var options =
        SessionOptions.defaults().withContext(context(loaded)).withSampler(choice.options());
    var config = TracerConfig.builder().activations(true).logits(true).build();
    var readings = new ArrayList<PositionReading>();
    try (var tracer = new ModelTracer(config);
        var session = TracedSession.open(loaded.model(), options, tracer);
        var broken = BrokenNumbers.watch(session, tracer, loaded.file());
        var trace = LensTrace.attach(session, lens, readings::add)) {
      session.check(tokens);
      session.listen(new PromptProgress(terminal));
      trace.begin(tokens);
      Generation generation = session.generate(tokens, allPositions, predict, token -> true);
      tell(
          loaded,
          new LensReport(
              loaded.file(),
              loaded.model(),
              trace.lens().steps(),
              options.sampler(),
              lens,
              tokens,
              generation,
              readings),
          terminal);
      broken.complain();
    }
  }

  /** With every position looked at, batches are small enough for their states to be held. */
  private ContextOptions context(LoadedModel loaded) {
    ContextOptions given = context.options(loaded.file());
    if (!allPositions) {
      return given;
    }
    LlamaModel of = loaded.model();
    long most = Math.max(LEAST_BATCH, STATES / (4L * (of.layers() + 1) * Math.max(1, of.width())));
    return given.withBatch(
        (int) Math.min(given.size().batch(), most),
        (int) Math.min(given.size().microBatch(), most));
  }
}
