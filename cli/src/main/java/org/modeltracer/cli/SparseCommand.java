package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.export.OutputFile;
import org.modeltracer.cli.export.OutputFolder;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ContrastTables;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.SparseTables;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.FlashAttention;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.model.Subscription;
import org.modeltracer.report.Pictures;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.BudgetPlan;
import org.modeltracer.sparse.IndexerReport;
import org.modeltracer.sparse.IndexerTrace;
import org.modeltracer.sparse.LengthRuns;
import org.modeltracer.sparse.PolicyCheck;
import org.modeltracer.sparse.PolicyReport;
import org.modeltracer.sparse.PolicyTrace;
import org.modeltracer.sparse.SparseReport;
import org.modeltracer.sparse.patterns.KeyCosts;
import org.modeltracer.sparse.patterns.KeyTokens;
import org.modeltracer.sparse.patterns.PatternReport;
import org.modeltracer.sparse.patterns.PatternTrace;
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
      "Say what sparse attention selects, or would cost.",
      "Whether a sparse model's indexer selects the right keys, and what selections of other kinds"
          + " would cost a dense model.",
    },
    footer = {
      "modeltracer sparse model.gguf -f prompts.txt",
      "modeltracer sparse dense.gguf -f prompts.txt --budgets 64,256 --verify",
      "modeltracer sparse model.gguf -f long.txt --lengths 512,2048,8192",
    },
    sortOptions = false)
final class SparseCommand implements Callable<Integer> {
  private static final List<Integer> USUAL = List.of(32, 64, 128, 256, 512, 1024, 2048, 4096);

  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;
  @Mixin private SeveralPrompts given;
  @Mixin private ChatArguments chat;
  @Mixin private ContextArguments context;

  @Option(
      names = "--budgets",
      paramLabel = "N,…",
      split = ",",
      description =
          "Keys that a dense model may keep (default: 32, 64, … 4096, as the prompts are long).")
  private List<Integer> budgets = List.of();

  @Option(
      names = "--recall",
      paramLabel = "SHARE",
      defaultValue = "0.95",
      description =
          "Attention mass that what is recommended must keep (default: ${DEFAULT-VALUE}).")
  private double recall;

  @Option(
      names = "--lengths",
      paramLabel = "N,…",
      split = ",",
      description =
          "Cut the prompts at these lengths too, and compare what attention does (default: not).")
  private List<Integer> lengths = List.of();

  @Option(
      names = "--verify",
      description = "Repeat the run under what is recommended, and compare what is predicted.")
  private boolean verify;

  @Option(
      names = "--clusters",
      paramLabel = "N",
      description = "Clusters of heads (default: as many as set them apart best).")
  private @Nullable Integer clusters;

  @Heading(Heading.Topic.OUTPUT)
  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "modeltracer-out/sparse",
      description = "Folder for sparse.json and pictures.json (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print the report to stdout, and nothing else.")
  private boolean json;

  @Mixin private HtmlOutput html;

  @Override
  public Integer call() {
    if (!(recall > 0 && recall <= 1)) {
      throw new CliException(ExitCode.USAGE, "--recall takes a share above 0, at most 1");
    }
    if (clusters != null) {
      ContextArguments.atLeast("--clusters", clusters, 1);
    }
    budgets.forEach(budget -> ContextArguments.atLeast("--budgets", budget, 1));
    html.prepare();
    OutputFile.check("--out", out.resolve("sparse.json"));
    OutputFile.check("--out", out.resolve("pictures.json"));
    var terminal = Terminal.of(spec);
    try (var loaded = LoadedModel.open(model, context, terminal)) {
      List<int[]> prompts = given.tokens(loaded.model(), chat);
      check(prompts);
      loaded.remarks(prompts, terminal);
      run(loaded, prompts, terminal);
      return ExitCode.PASS.code();
    }
  }

  private void run(LoadedModel loaded, List<int[]> prompts, Terminal terminal) {
    ContextOptions of = context.options(loaded.file());
    var options =
        SessionOptions.defaults()
            .withContext(verify ? of.withFlashAttention(FlashAttention.OFF) : of)
            .withReusePrefix(false);
    var config = TracerConfig.builder().attention(true).build();
    // What is odd of a head is not what is asked; broken numbers are complained of.
    try (var tracer = ModelTracer.quiet(config);
        var session = TracedSession.open(loaded.model(), options, tracer);
        var broken = BrokenNumbers.watch(session, tracer, loaded.file());
        var trace = IndexerTrace.attach(session)) {
      var pictures = new Pictures(loaded.model(), true);
      session.listen(pictures);
      SparseReport report = report(loaded, session, tracer, trace, prompts, terminal);
      tell(loaded, report, pictures.picture(trace.picture()), prompts.getLast(), terminal);
      broken.complain();
    }
  }

  private SparseReport report(
      LoadedModel loaded,
      TracedSession session,
      ModelTracer tracer,
      IndexerTrace trace,
      List<int[]> prompts,
      Terminal terminal) {
    boolean selects = trace.applies();
    var policies = new PolicyTrace(selects ? List.of(1) : budgets(prompts), recall);
    var patterns = new PatternTrace(KeyCosts.of(session.survey()));
    var listening = new ArrayList<>(List.of(tracer.addListener(patterns)));
    // Where tokens see later ones, policies that drop the oldest keys have no meaning.
    if (!selects && !session.survey().seesAhead()) {
      listening.add(tracer.addListener(policies));
    }
    for (int i = 0; i < prompts.size(); i++) {
      trace.begin();
      patterns.begin(KeyTokens.of(prompts.get(i), loaded.model().vocabulary()));
      session.evaluate(prompts.get(i), !selects);
      terminal.progress("prompts", i + 1, prompts.size());
    }
    // What follows runs the prompts again, with rows that are not the model's own.
    listening.forEach(Subscription::close);
    trace.close();
    PatternReport shapes = patterns.report(clusters == null ? 0 : clusters);
    PolicyReport costs = selects ? null : verified(session, policies.report(), prompts);
    if (costs == null && shapes.heads().isEmpty() && !selects) {
      throw new CliException(
          ExitCode.NOTHING, "this model showed no attention by softmax in any layer");
    }
    return new SparseReport(
        prompts.size(),
        prompts.stream().mapToInt(p -> p.length).sum(),
        selects ? trace.report() : null,
        costs,
        LengthRuns.of(session, tracer, prompts, lengths),
        costs == null ? List.of() : BudgetPlan.of(costs),
        shapes);
  }

  /** Refuses lengths that no prompt has. */
  private void check(List<int[]> prompts) {
    lengths.forEach(length -> ContextArguments.atLeast("--lengths", length, 2));
    int longest = prompts.stream().mapToInt(p -> p.length).max().orElse(0);
    if (lengths.stream().anyMatch(length -> length > longest)) {
      throw new CliException(
          ExitCode.USAGE,
          "--lengths: no prompt has %d tokens, the longest has %d"
              .formatted(Collections.max(lengths), longest));
    }
  }

  /** Null where no layer attends to earlier tokens only. */
  private @Nullable PolicyReport verified(
      TracedSession session, PolicyReport report, List<int[]> prompts) {
    if (report.heads().isEmpty()) {
      return null;
    }
    return verify ? report.verified(PolicyCheck.of(session, report, prompts)) : report;
  }

  /** Those that some query sees more keys than. */
  private List<Integer> budgets(List<int[]> prompts) {
    int longest = prompts.stream().mapToInt(p -> p.length).max().orElse(0);
    List<Integer> all = budgets.isEmpty() ? USUAL : budgets.stream().sorted().distinct().toList();
    List<Integer> exercised = all.stream().filter(b -> b > 0 && b < longest).toList();
    if (exercised.isEmpty()) {
      throw new CliException(
          ExitCode.NOTHING,
          "no prompt is longer than %d tokens, the smallest budget; a longer one tests it"
              .formatted(all.getFirst()));
    }
    return exercised;
  }

  private void tell(
      LoadedModel loaded, SparseReport report, Record pictures, int[] last, Terminal terminal) {
    JsonHead head = JsonHead.of(loaded.file());
    String all = Json.pretty(head.before(report));
    String drawn = head.line(pictures);
    Path written = OutputFolder.claim(out).resolve("sparse.json");
    OutputFile.write(written, all);
    OutputFile.write(out.resolve("pictures.json"), drawn);
    html.write(loaded.name(), () -> Map.of("sparse.json", all, "pictures.json", drawn), terminal);
    if (json) {
      terminal.print(all);
    } else {
      terminal.println(
          terminal.styled("bold", loaded.name())
              + "  %d prompt%s, %d tokens"
                  .formatted(report.prompts(), report.prompts() == 1 ? "" : "s", report.tokens()));
      new SparseTables(report, terminal).print();
      new ContrastTables(report, terminal).print(word(loaded.model().vocabulary(), last));
      terminal.println("Wrote " + written);
    }
    IndexerReport indexer = report.indexer();
    String why = indexer == null ? null : indexer.notExercised();
    if (why != null) {
      throw new CliException(ExitCode.NOTHING, why);
    }
  }

  /** A token of a prompt as text; its number where the model has no vocabulary. */
  private static IntFunction<String> word(Vocabulary vocabulary, int[] prompt) {
    return position ->
        position >= prompt.length
            ? ""
            : vocabulary.usable() ? vocabulary.text(prompt[position]) : prompt[position] + " ";
  }
}
