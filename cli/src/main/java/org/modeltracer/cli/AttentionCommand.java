package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.export.OutputFolder;
import org.modeltracer.cli.terminal.AttentionReport;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.heads.AttentionTrace;
import org.modeltracer.llama.LlamaModel;
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

/** Analyses the attention of one prompt, or of many together. */
@Heading(Heading.Topic.ANALYSIS)
@Command(
    name = "attention",
    description = {
      "Analyse what all heads attend to, and say what stands out.",
      "In one prompt, or over a file of many.",
    },
    footer = {
      "modeltracer attention model.gguf -p \"The cat sat on the mat.\"",
      "modeltracer attention model.gguf -f prompts.txt --matrix --out study",
    },
    sortOptions = false)
final class AttentionCommand implements Callable<Integer> {
  private static final long USUAL_KEPT = 64L << 20;
  private static final long MOST_SCORES = 256L << 20;

  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;

  @Mixin private SeveralPrompts given;
  @Mixin private ChatArguments chat;
  @Mixin private ContextArguments context;

  @Option(
      names = "--matrix",
      description = "Include attention matrices, of the example prompt where there are several.")
  private boolean matrix;

  @Option(
      names = "--keep-attention",
      paramLabel = "BYTES",
      description =
          "Most bytes of matrices to keep, such as 512M, then at less precision (default: 64M);"
              + " implies --matrix.")
  private @Nullable String keep;

  @Heading(Heading.Topic.OUTPUT)
  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "modeltracer-out/attention",
      description = "Folder for attention.json (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print the analysis to stdout, and nothing else.")
  private boolean json;

  @Mixin private HtmlOutput html;

  @Override
  public Integer call() {
    html.prepare();
    OutputFile.check("--out", out.resolve("attention.json"));
    var terminal = Terminal.of(spec);
    AttentionOptions collect = AttentionOptions.defaults().withTokenScores();
    if (matrix || keep != null) {
      collect = collect.withMatrices(budget());
    }
    try (var loaded = LoadedModel.open(model, context, terminal)) {
      List<int[]> prompts = given.tokens(loaded.model(), chat);
      loaded.remarks(prompts, terminal);
      analyse(loaded, prompts, collect, terminal);
      return ExitCode.PASS.code();
    }
  }

  private void tell(
      LoadedModel loaded,
      List<int[]> prompts,
      AttentionAnalysis analysis,
      Record pictures,
      Terminal terminal) {
    JsonHead head = JsonHead.of(loaded.file());
    String all = Json.pretty(head.before(analysis));
    String drawn = head.line(pictures);
    Path written = OutputFolder.claim(out).resolve("attention.json");
    OutputFile.write(written, all);
    OutputFile.write(out.resolve("pictures.json"), drawn);
    html.write(
        loaded.name(), () -> Map.of("attention.json", all, "pictures.json", drawn), terminal);
    if (json) {
      terminal.print(all);
    } else {
      terminal.println(
          terminal.styled("bold", loaded.name())
              + "  %d prompt%s, %d tokens"
                  .formatted(
                      prompts.size(),
                      prompts.size() == 1 ? "" : "s",
                      prompts.stream().mapToInt(p -> p.length).sum()));
      new AttentionReport(analysis, terminal).print();
      terminal.println("Wrote " + written);
    }
    if (analysis.attentionWeights().isEmpty() && analysis.twoWayHeads().isEmpty()) {
      throw new CliException(
          ExitCode.NOTHING, "this model showed no attention by softmax in any layer");
    }
  }

  private void analyse(
      LoadedModel loaded, List<int[]> prompts, AttentionOptions collect, Terminal terminal) {
    var config = TracerConfig.builder().activations(true).attention(true).build();
    var options =
        SessionOptions.defaults()
            .withContext(context.options(loaded.file()))
            .withReusePrefix(false);
    var trace =
        new AttentionTrace(loaded.model(), loaded.file(), collect, Double.POSITIVE_INFINITY);
    try (var tracer = new ModelTracer(config);
        var session = TracedSession.open(loaded.model(), options, tracer);
        var broken = BrokenNumbers.watch(session, tracer, loaded.file())) {
      trace.attach(tracer, session);
      var pictures = new Pictures(loaded.model(), true).attach(tracer, session);
      for (int i = 0; i < prompts.size(); i++) {
        trace.begin(session.decoded(prompts.get(i)));
        session.evaluate(prompts.get(i), scored(loaded.model(), prompts.get(i)));
        terminal.progress("prompts", i + 1, prompts.size());
      }
      tell(loaded, prompts, trace.analysis(), pictures.picture(), terminal);
      broken.complain();
    }
  }

  /** Whether all positions are scored: then the last layer's rows are whole, as the others' are. */
  private static boolean scored(LlamaModel loaded, int[] prompt) {
    return (long) Float.BYTES * prompt.length * loaded.vocabulary().size() <= MOST_SCORES;
  }

  private long budget() {
    if (keep == null) {
      return USUAL_KEPT;
    }
    var size = Pattern.compile("(\\d{1,12})([kKmMgG]?)[bB]?").matcher(keep);
    if (!size.matches()) {
      throw new CliException(
          ExitCode.USAGE, "--keep-attention takes bytes, such as 512M, not '" + keep + "'");
    }
    int shift =
        switch (size.group(2).toLowerCase(Locale.ROOT)) {
          case "k" -> 10;
          case "m" -> 20;
          case "g" -> 30;
          default -> 0;
        };
    return Long.parseLong(size.group(1)) << shift;
  }
}
