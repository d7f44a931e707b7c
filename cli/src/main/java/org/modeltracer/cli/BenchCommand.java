package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.trace.Json;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures what tracing costs. */
@Heading(Heading.Topic.ANALYSIS)
@Command(
    name = "bench",
    description = "Measure what tracing a model costs, against running it bare.",
    footer = {
      "modeltracer bench model.gguf",
      "modeltracer bench --synthetic 0.5b --contexts 128,1024 -t 2",
      "modeltracer bench model.gguf --rounds 15 --json",
    },
    sortOptions = false)
final class BenchCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;
  @Mixin private ContextArguments context;

  @Mixin private SyntheticArguments synthetic;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "4",
      description = "Times that each text is read (default: ${DEFAULT-VALUE}).")
  private int rounds;

  @Option(
      names = {"--contexts", "--prompt-tokens"},
      paramLabel = "N,…",
      defaultValue = "128",
      split = ",",
      description =
          "Random tokens of prompt, one measurement for each (default: ${DEFAULT-VALUE}).")
  private List<Integer> contexts = List.of();

  @Option(
      names = "--modes",
      paramLabel = "MODE,…",
      split = ",",
      description = "Compare only these modes with untraced: ${COMPLETION-CANDIDATES}.")
  private @Nullable EnumSet<TracedMode> only;

  @Option(
      names = "--piece",
      paramLabel = "N",
      defaultValue = "128",
      description =
          "Tokens of the prompt after which another mode has its turn (default: ${DEFAULT-VALUE}).")
  private int piece;

  @Option(
      names = {"-n", "--predict", "--n-predict"},
      paramLabel = "N",
      defaultValue = "32",
      description = "Tokens read one by one after the prompt (default: ${DEFAULT-VALUE}).")
  private int predict;

  @Option(
      names = {"-s", "--seed"},
      paramLabel = "N",
      defaultValue = "42",
      description = "Seed of the random prompt (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--growth",
      description =
          "Measure on small models of random weights, too, how the costs grow with layers, heads"
              + " and context.")
  private boolean growth;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  /** What became of the modes at one length of prompt. */
  private record Measured(int prompt, ContextOptions options, List<Contest.Result> modes) {}

  @Override
  public Integer call() {
    ContextArguments.atLeast("--rounds", rounds, 1);
    contexts.forEach(n -> ContextArguments.atLeast("--contexts", n, 1));
    ContextArguments.atLeast("--piece", piece, 1);
    ContextArguments.atLeast("-n", predict, 1);
    var terminal = Terminal.of(spec);
    Path made = synthetic.make(model, terminal);
    try (var loaded = LoadedModel.open(model, context, terminal)) {
      refuseEncoders(loaded.model());
      var measured = new ArrayList<Measured>();
      for (int prompt : contexts) {
        ContextOptions options = options(loaded.file(), prompt);
        measured.add(new Measured(prompt, options, contest(loaded, options, prompt, terminal)));
        if (!json) {
          BenchReport.print(
              heading(loaded, measured.getLast()), measured.getLast().modes, terminal);
        }
      }
      List<CostGrowth> grown = growth ? CostGrowth.of(growth(loaded.model(), terminal)) : List.of();
      if (json) {
        terminal.print(Json.pretty(toJson(loaded, measured, grown)));
      } else if (growth) {
        BenchReport.print(grown, terminal);
      }
      return ExitCode.PASS.code();
    } finally {
      synthetic.remove(made);
    }
  }

  private static void refuseEncoders(LlamaModel model) {
    if (model.hasEncoder()) {
      throw new CliException(
          ExitCode.USAGE, "bench generates text token by token; a model with an encoder does not");
    }
  }

  private CostGrowth.Measure growth(LlamaModel like, Terminal terminal) {
    LlamaRuntime runtime = like.runtime();
    return (shape, prompts) -> {
      Path file = synthetic.write(shape, null, runtime, terminal);
      try (var made = new LoadedModel(LoadChecks.read(file), runtime.open(file, model.options()))) {
        var results = new ArrayList<List<Contest.Result>>();
        for (int prompt : prompts) {
          results.add(contest(made, options(made.file(), prompt), prompt, terminal));
        }
        return results;
      } finally {
        synthetic.remove(file);
      }
    };
  }

  /** Just the context that is needed, as there is one for each mode. */
  private ContextOptions options(GgufFile file, int prompt) {
    ContextOptions given = context.options(file);
    int needed = Math.addExact(prompt, predict);
    if (needed > given.size().tokens()) {
      throw new CliException(
          ExitCode.USAGE,
          "%d tokens of prompt and %d generated do not fit a context of %d; give smaller numbers with"
                  .formatted(prompt, predict, given.size().tokens())
              + " --contexts and -n, or a larger one with -c");
    }
    return context.context > 0 ? given : given.withContextTokens(needed);
  }

  private List<Contest.Result> contest(
      LoadedModel loaded, ContextOptions options, int prompt, Terminal terminal) {
    Vocabulary vocabulary = loaded.model().vocabulary();
    int[] tokens = new Random(seed).ints((long) prompt + predict, 0, vocabulary.size()).toArray();
    if (vocabulary.addsBos()) {
      tokens[0] = vocabulary.bos();
    }
    var contenders = new ArrayList<Contender>();
    try {
      contenders.add(new Contender("untraced", loaded.model(), options));
      EnumSet<TracedMode> modes = only == null ? TracedMode.possible() : only;
      modes.forEach(mode -> contenders.add(mode.contender(loaded, options)));
      int most = Math.min(piece, Math.min(options.size().batch(), options.size().microBatch()));
      var contest = new Contest(contenders, tokens, prompt, most);
      contest.warmUp();
      for (int done = 0; done < rounds; done++) {
        terminal.progress("rounds", done, rounds);
        contest.round();
      }
      terminal.progress("rounds", rounds, rounds);
      return contest.results();
    } finally {
      contenders.forEach(Contender::close);
    }
  }

  private String heading(LoadedModel loaded, Measured measured) {
    return "%s  llama.cpp %s, %d threads, flash attention %s, %d tokens of prompt, then %d, %d rounds"
        .formatted(
            loaded.name(),
            loaded.model().runtime().version(),
            measured.options.threads(),
            measured.options.flashAttention().name().toLowerCase(Locale.ROOT),
            measured.prompt,
            predict,
            rounds);
  }

  private Map<String, @Nullable Object> toJson(
      LoadedModel loaded, List<Measured> measured, List<CostGrowth> grown) {
    Map<String, @Nullable Object> root = JsonHead.of(loaded.file()).fields();
    ContextOptions options = measured.getFirst().options;
    root.put("llama_cpp", loaded.model().runtime().version());
    root.put("generated_tokens", predict);
    root.put("rounds", rounds);
    root.put("piece", piece);
    root.put("batch", options.size().batch());
    root.put("micro_batch", options.size().microBatch());
    root.put("threads", options.threads());
    root.put("flash_attention", options.flashAttention());
    root.put("cache_type_k", options.cache().keys().id());
    root.put("cache_type_v", options.cache().values().id());
    root.put("seed", seed);
    root.put(
        "contexts",
        measured.stream()
            .map(
                m -> {
                  var one = new LinkedHashMap<String, @Nullable Object>();
                  one.put("prompt_tokens", m.prompt);
                  one.put("context", m.options.size().tokens());
                  one.put("modes", m.modes);
                  return one;
                })
            .toList());
    if (!grown.isEmpty()) {
      root.put("growth", grown);
    }
    return root;
  }
}
