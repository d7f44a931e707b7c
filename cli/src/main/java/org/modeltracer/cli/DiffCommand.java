package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.export.OutputFolder;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.checks.ReferenceCriteria;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.quant.Comparison;
import org.modeltracer.quant.ComparisonOptions;
import org.modeltracer.quant.QuantizationReport;
import org.modeltracer.quant.Rounding;
import org.modeltracer.quant.Setup;
import org.modeltracer.trace.Json;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Compares a model with a reference, or with itself on another runtime or with other settings. */
@Heading(Heading.Topic.COMPARISON)
@Command(
    name = "diff",
    description = {
      "Compare a quantized model with its reference, node by node.",
      "Both read the same tokens. With one model: compare it with itself on another llama.cpp or"
          + " with other settings (…-b).",
    },
    footer = {
      "modeltracer diff model-Q4_K_M.gguf model-f16.gguf",
      "modeltracer diff -m model-Q4_K_M.gguf --reference model-f16.gguf -f text.txt",
      "modeltracer diff model.gguf --llama-lib-b /opt/llama.cpp/build/bin",
      "modeltracer diff model.gguf -fa off -fa-b on",
    },
    sortOptions = false)
final class DiffCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Heading(Heading.Topic.MODEL)
  @Parameters(
      paramLabel = "FILE [REFERENCE]",
      arity = "0..*",
      description = "The model, and what it is compared with (default: the model itself).")
  private List<Path> named = new ArrayList<>();

  @Heading(Heading.Topic.MODEL)
  @Option(
      names = {"-m", "--model"},
      paramLabel = "FILE",
      description = "The same as naming the model first.")
  private @Nullable Path model;

  @Heading(Heading.Topic.MODEL)
  @Option(
      names = "--reference",
      paramLabel = "FILE",
      description = "The same as naming the reference last.")
  private @Nullable Path reference;

  @Mixin private EngineArguments engine;
  @Mixin private PromptArguments prompt;
  @Mixin private ContextArguments context;
  @Mixin private OtherSide other;

  @Option(
      names = "--chunks",
      paramLabel = "N",
      defaultValue = "-1",
      description = "Windows of -c tokens to read at most (default: all of the text).")
  private int chunks;

  @Option(
      names = "--places",
      description = "Compare the named places of the transformer only, not every node.")
  private boolean places;

  @Option(names = "--no-local", description = "Leave the layers' own errors out; half the work.")
  private boolean noLocal;

  @Option(
      names = "--tolerance",
      paramLabel = "X",
      defaultValue = "" + ComparisonOptions.TOLERANCE,
      description =
          "Relative error of a token's row at which the two count as diverged"
              + " (default: ${DEFAULT-VALUE}).")
  private double tolerance;

  @Option(
      names = "--policy",
      paramLabel = "POLICY",
      defaultValue = "default",
      description =
          "Whose limits for a comparison with a reference decide the exit code, as check's do:"
              + " strict, default, smoke or a file (default: ${DEFAULT-VALUE}).")
  private String policy;

  @Option(
      names = "--top",
      paramLabel = "N",
      defaultValue = "20",
      description = "Worst tensors to list (default: ${DEFAULT-VALUE}).")
  private int top;

  @Heading(Heading.Topic.OUTPUT)
  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Write diff.json, pictures.json, summary.json and anomalies.jsonl there.")
  private @Nullable Path out;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print JSON, and nothing else.")
  private boolean json;

  @Mixin private HtmlOutput html;

  @Override
  public Integer call() {
    html.prepare();
    ContextArguments.atLeast("--top", top, 0);
    if (out != null) {
      OutputFile.check("--out", out.resolve("diff.json"));
    }
    if (!(tolerance >= 0)) {
      throw new CliException(ExitCode.USAGE, "--tolerance must be 0 or more, not " + tolerance);
    }
    var files = new ArrayDeque<>(named);
    Path quant = model != null ? model : files.poll();
    Path given = reference != null ? reference : files.poll();
    if (quant == null) {
      throw new CliException(ExitCode.USAGE, "no model; name a GGUF file, as FILE or -m FILE");
    }
    if (!files.isEmpty()) {
      throw new CliException(
          ExitCode.USAGE, "two models are compared; '%s' is one more".formatted(files.peek()));
    }
    Path against = given != null ? given : quant;
    if (given == null && !other.differs()) {
      throw new CliException(
          ExitCode.USAGE,
          "nothing to compare with; name a REFERENCE, or what is different with"
              + " --llama-lib-b, --backend-b, -fa-b, -ctk-b, -ctv-b or -t-b");
    }
    Policy asked = PolicyFile.named(policy);
    GgufFile file = LoadChecks.read(against);
    var terminal = Terminal.of(spec);
    engine.runtime(terminal);
    var one = new Setup(against, engine.engine(), settings(file));
    Setup two = other.apply(one, quant);
    try (var interrupt = new Interrupt();
        var comparison = Comparison.open(one, two)) {
      interrupt.cancels(comparison::cancel);
      LoadedModel.warn(comparison.warnings(), terminal);
      int[] tokens = tokens(comparison);
      var options =
          ComparisonOptions.defaults()
              .withEveryNode(!places)
              .withLocal(!noLocal)
              .withTolerance(tolerance);
      var run = DiffRun.of(LoadChecks.read(quant), file, comparison.versions(), one, two);
      QuantizationReport report =
          comparison.run(
              tokens,
              options,
              (done, all) -> terminal.progress("diff", (double) done, (double) all));
      var unmet = new ArrayList<String>();
      run.differences().stream()
          .filter(difference -> asked.fails(difference.severity()))
          .forEach(difference -> unmet.add(difference.message()));
      unmet.addAll(ReferenceCriteria.unmet(report, asked));
      Rounding rounding = report.rounding();
      if (rounding != null && rounding.first() != null) {
        unmet.add("rounding does not explain " + DiffReport.inWords(rounding.first()));
      }
      tell(run, report, tokens, unmet, comparison, terminal);
      return exitCode(report, unmet).code();
    }
  }

  /** As for other commands, but for what a comparison reads at a time. */
  private ContextOptions settings(GgufFile file) {
    ContextOptions given = context.options(file);
    boolean together = spec.commandLine().getParseResult().hasMatchedOption("-ub");
    int microBatch = together ? context.microBatch : Setup.MICRO_BATCH;
    return given.withContextTokens(context.context).withBatch(microBatch, microBatch);
  }

  private int[] tokens(Comparison comparison) {
    int[] tokens =
        prompt.given() ? prompt.tokens(comparison.vocabulary()) : defaultTokens(comparison);
    int most =
        chunks < 0
            ? tokens.length
            : Math.clamp((long) chunks * comparison.window(), 1, tokens.length);
    return Arrays.copyOf(tokens, most);
  }

  private static int[] defaultTokens(Comparison comparison) {
    if (!comparison.vocabulary().usable()) {
      throw new CliException(
          ExitCode.USAGE, "this model has no vocabulary to read a text with; give --tokens 1,2,3");
    }
    return comparison.vocabulary().tokenize(Comparison.defaultText(), true, false);
  }

  private void tell(
      DiffRun run,
      QuantizationReport report,
      int[] tokens,
      List<String> unmet,
      Comparison comparison,
      Terminal terminal) {
    String document = out != null || html.wanted() || json ? Json.pretty(run.toJson(report)) : "";
    if (out != null || html.wanted()) {
      String drawn = run.pictures(comparison.vocabulary(), tokens, report);
      if (out != null) {
        run.write(OutputFolder.claim(out), report, document, drawn);
      }
      html.write("diff", () -> Map.of("diff.json", document, "pictures.json", drawn), terminal);
    }
    if (json) {
      terminal.print(document);
      return;
    }
    new DiffReport(run, report, terminal).print(top, comparison.vocabulary(), unmet);
  }

  private static ExitCode exitCode(QuantizationReport report, List<String> unmet) {
    if (report.nodes().isEmpty()) {
      return ExitCode.NOTHING;
    }
    return unmet.isEmpty() ? ExitCode.PASS : ExitCode.FINDINGS;
  }
}
