package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.export.OutputFolder;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.SparseTables;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.IndexerTrace;
import org.modeltracer.sparse.SparseReport;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says what a sparse model's indexer selects, and what that is worth. */
@Heading(Heading.Topic.ANALYSIS)
@Command(
    name = "sparse",
    description = {
      "Say whether an indexer selects the right keys.",
      "For models whose attention sees selected keys only, as DeepSeek-V3.2's does.",
    },
    footer = {
      "modeltracer sparse model.gguf -f prompts.txt",
      "modeltracer sparse model.gguf -p \"…\" --json",
    },
    sortOptions = false)
final class SparseCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;
  @Mixin private SeveralPrompts given;
  @Mixin private ChatArguments chat;
  @Mixin private ContextArguments context;

  @Heading(Heading.Topic.OUTPUT)
  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "modeltracer-out/sparse",
      description = "Folder for sparse.json (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print the report to stdout, and nothing else.")
  private boolean json;

  @Override
  public Integer call() {
    OutputFile.check("--out", out.resolve("sparse.json"));
    var terminal = Terminal.of(spec);
    try (var loaded = LoadedModel.open(model, context, terminal)) {
      List<int[]> prompts = given.tokens(loaded.model(), chat);
      loaded.remarks(prompts, terminal);
      run(loaded, prompts, terminal);
      return ExitCode.PASS.code();
    }
  }

  private void run(LoadedModel loaded, List<int[]> prompts, Terminal terminal) {
    var options =
        SessionOptions.defaults()
            .withContext(context.options(loaded.file()))
            .withReusePrefix(false);
    var config = TracerConfig.builder().activations(true).build();
    try (var tracer = new ModelTracer(config);
        var session = TracedSession.open(loaded.model(), options, tracer);
        var broken = BrokenNumbers.watch(session, tracer, loaded.file());
        var trace = IndexerTrace.attach(session)) {
      if (!trace.applies()) {
        throw new CliException(
            ExitCode.NOTHING, "no layer of this model attends to selected keys only");
      }
      for (int i = 0; i < prompts.size(); i++) {
        trace.begin();
        session.evaluate(prompts.get(i), false);
        terminal.progress("prompts", i + 1, prompts.size());
      }
      int tokens = prompts.stream().mapToInt(p -> p.length).sum();
      tell(loaded, new SparseReport(prompts.size(), tokens, trace.report()), terminal);
      broken.complain();
    }
  }

  private void tell(LoadedModel loaded, SparseReport report, Terminal terminal) {
    String all = Json.pretty(JsonHead.of(loaded.file()).before(report));
    Path written = OutputFolder.claim(out).resolve("sparse.json");
    OutputFile.write(written, all);
    if (json) {
      terminal.print(all);
    } else {
      terminal.println(
          terminal.styled("bold", loaded.file().path().getFileName().toString())
              + "  %d prompt%s, %d tokens"
                  .formatted(report.prompts(), report.prompts() == 1 ? "" : "s", report.tokens()));
      new SparseTables(report, terminal).print();
      terminal.println("Wrote " + written);
    }
    String why = report.indexer().notExercised();
    if (why != null) {
      throw new CliException(ExitCode.NOTHING, why);
    }
  }
}
