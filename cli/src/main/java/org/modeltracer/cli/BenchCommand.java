package org.modeltracer.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.TracerConfig;
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
      "modeltracer bench model.gguf --rounds 15 --json",
    },
    sortOptions = false)
final class BenchCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;
  @Mixin private ContextArguments context;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "7",
      description = "Rounds that count (default: ${DEFAULT-VALUE}).")
  private int rounds;

  @Option(
      names = "--prompt-tokens",
      paramLabel = "N",
      defaultValue = "128",
      description = "Random tokens of prompt (default: ${DEFAULT-VALUE}).")
  private int promptTokens;

  @Option(
      names = {"-n", "--predict", "--n-predict"},
      paramLabel = "N",
      defaultValue = "64",
      description = "Tokens to generate (default: ${DEFAULT-VALUE}).")
  private int predict;

  @Option(
      names = {"-s", "--seed"},
      paramLabel = "N",
      defaultValue = "42",
      description = "Seed of the random prompt (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Override
  public Integer call() {
    ContextArguments.atLeast("--rounds", rounds, 1);
    ContextArguments.atLeast("--prompt-tokens", promptTokens, 1);
    ContextArguments.atLeast("-n", predict, 1);
    var terminal = Terminal.of(spec);
    try (var loaded = LoadedModel.open(model, context, terminal)) {
      refuseEncoders(loaded.model());
      ContextOptions options = options(loaded.file());
      var contenders = new ArrayList<Contender>();
      try {
        LlamaModel llama = loaded.model();
        contenders.add(new Contender("untraced", llama, options));
        contenders.add(new Contender("idle", llama, options, TracerConfig.disabled()));
        contenders.add(new Contender("lightweight", llama, options, TracerConfig.lightweight()));
        contenders.add(new Contender("full", llama, options, TracerConfig.full()));
        report(loaded, options, contest(contenders, llama.vocabulary(), terminal), terminal);
      } finally {
        contenders.forEach(Contender::close);
      }
      return ExitCode.PASS.code();
    }
  }

  private static void refuseEncoders(LlamaModel model) {
    if (model.hasEncoder()) {
      throw new CliException(
          ExitCode.USAGE, "bench generates text token by token; a model with an encoder does not");
    }
  }

  /** Just the context that is needed, as there are four of them. */
  private ContextOptions options(GgufFile file) {
    ContextOptions given = context.options(file);
    int needed = Math.addExact(promptTokens, predict);
    if (needed > given.size().tokens()) {
      throw new CliException(
          ExitCode.USAGE,
          "%d tokens of prompt and %d generated do not fit a context of %d; give smaller numbers with"
                  .formatted(promptTokens, predict, given.size().tokens())
              + " --prompt-tokens and -n, or a larger one with -c");
    }
    return context.context > 0 ? given : given.withContextTokens(needed);
  }

  private List<Contest.Result> contest(
      List<Contender> contenders, Vocabulary vocabulary, Terminal terminal) {
    int[] prompt = new Random(seed).ints(promptTokens, 0, vocabulary.size()).toArray();
    if (vocabulary.addsBos()) {
      prompt[0] = vocabulary.bos();
    }
    var contest = new Contest(contenders, prompt, predict);
    contest.warmUp();
    for (int done = 0; done < rounds; done++) {
      terminal.progress("rounds", done, rounds);
      contest.round();
    }
    terminal.progress("rounds", rounds, rounds);
    return contest.results();
  }

  private void report(
      LoadedModel loaded, ContextOptions options, List<Contest.Result> results, Terminal terminal) {
    if (json) {
      terminal.print(Json.pretty(toJson(loaded, options, results)));
      return;
    }
    terminal.println(
        terminal.styled("bold", loaded.file().path().getFileName().toString())
            + "  llama.cpp %s, %d threads, %d tokens of prompt, %d generated, %d rounds"
                .formatted(
                    loaded.model().runtime().version(),
                    options.threads(),
                    promptTokens,
                    predict,
                    rounds));
    terminal.println(
        "%-12s %-22s %-22s %-22s %-22s %8s %10s %10s"
            .formatted(
                "median (min–max)",
                "prompt t/s",
                "generation t/s",
                "prompt time",
                "generation time",
                "nodes/t",
                "bytes/t",
                "Java B/t"));
    for (Contest.Result r : results) {
      terminal.println(
          "%-12s %-22s %-22s %-22s %-22s %8.0f %10.0f %10.0f"
              .formatted(
                  r.mode(),
                  r.promptTokensPerSecond().text("%.0f"),
                  r.generationTokensPerSecond().text("%.0f"),
                  r.promptTimeRatio().text("%.2f"),
                  r.generationTimeRatio().text("%.2f"),
                  r.observedNodesPerToken().median(),
                  r.observedBytesPerToken().median(),
                  r.allocatedBytesPerToken().median()));
    }
    terminal.println(
        terminal.styled(
            "@|faint idle: hook armed, nothing observed; times are relative to untraced in the same"
                + " round; nodes and bytes observed and bytes allocated by Java are per generated"
                + " token|@"));
  }

  private Map<String, @Nullable Object> toJson(
      LoadedModel loaded, ContextOptions options, List<Contest.Result> results) {
    Map<String, @Nullable Object> root = JsonHead.of(loaded.file()).fields();
    root.put("llama_cpp", loaded.model().runtime().version());
    root.put("prompt_tokens", promptTokens);
    root.put("generated_tokens", predict);
    root.put("rounds", rounds);
    root.put("context", options.size().tokens());
    root.put("batch", options.size().batch());
    root.put("micro_batch", options.size().microBatch());
    root.put("threads", options.threads());
    root.put("flash_attention", options.flashAttention());
    root.put("cache_type_k", options.cache().keys().id());
    root.put("cache_type_v", options.cache().values().id());
    root.put("seed", seed);
    root.put("modes", results);
    return root;
  }
}
