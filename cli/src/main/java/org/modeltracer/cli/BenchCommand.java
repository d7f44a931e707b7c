package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.heads.AttentionTrace;
import org.modeltracer.lens.LensOptions;
import org.modeltracer.lens.LensTrace;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.probe.NodeValues;
import org.modeltracer.session.SessionListener;
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
  private EnumSet<Mode> only = EnumSet.allOf(Mode.class);

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

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  /** What observes a model beside the untraced one. */
  private enum Mode {
    IDLE("idle"),
    LIGHTWEIGHT("lightweight"),
    FULL("full"),
    LENS("lens"),
    EVERY_NODE("every-node");

    private final String id;

    Mode(String id) {
      this.id = id;
    }

    @Override
    public String toString() {
      return id;
    }

    Contender contender(LoadedModel loaded, ContextOptions options) {
      LlamaModel llama = loaded.model();
      return switch (this) {
        case IDLE -> new Contender(id, llama, options, TracerConfig.disabled(), null);
        case LIGHTWEIGHT -> new Contender(id, llama, options, TracerConfig.lightweight(), null);
        case FULL -> new Contender(id, llama, options, TracerConfig.full(), attention(loaded));
        case LENS -> new Contender("full, lens", llama, options, TracerConfig.full(), lens(loaded));
        case EVERY_NODE ->
            new Contender("every node", llama, options, TracerConfig.disabled(), everyNode());
      };
    }
  }

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
          print(loaded, measured.getLast(), terminal);
        }
      }
      if (json) {
        terminal.print(Json.pretty(toJson(loaded, measured)));
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
      only.forEach(mode -> contenders.add(mode.contender(loaded, options)));
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

  /** All streaming analyses of attention, as {@code run} has them. */
  private static Contender.Attachment attention(LoadedModel loaded) {
    return (session, tracer) -> {
      var trace =
          new AttentionTrace(
              loaded.model(),
              loaded.file(),
              AttentionOptions.defaults(),
              TracedRun.SECONDS_OF_MULTIPLICATIONS);
      trace.attach(tracer, session);
      return new Contender.Watcher() {
        @Override
        public void begin(int[] tokens) {
          trace.begin(tokens);
        }

        @Override
        public void close() {
          // The session's end is the trace's.
        }
      };
    };
  }

  private static Contender.Attachment lens(LoadedModel loaded) {
    return (session, tracer) -> {
      Contender.Watcher attention = attention(loaded).to(session, tracer);
      LensTrace lens =
          LensTrace.attach(
              session,
              new LensOptions(false, tracer.config().logitTopK(), List.of()),
              reading -> reading.traces().forEach(tracer::recordLogitEvolution));
      return new Contender.Watcher() {
        @Override
        public void begin(int[] tokens) {
          attention.begin(tokens);
          lens.begin(tokens);
        }

        @Override
        public void close() {
          lens.close();
          attention.close();
        }
      };
    };
  }

  /** Takes all nodes of a graph, as an export of everything does. */
  private static Contender.Attachment everyNode() {
    return (session, tracer) -> {
      Set<String> all = session.nodes().stream().map(NodeInfo::key).collect(Collectors.toSet());
      var listening =
          session.listen(
              new SessionListener() {
                @Override
                public Set<String> nodes() {
                  return all;
                }

                @Override
                public void onNode(NodeValues values) {
                  // What is measured is how they come here.
                }
              });
      return new Contender.Watcher() {
        @Override
        public void begin(int[] tokens) {
          // No text differs from another.
        }

        @Override
        public void close() {
          listening.close();
        }
      };
    };
  }

  private void print(LoadedModel loaded, Measured measured, Terminal terminal) {
    terminal.println(
        terminal.styled("bold", loaded.file().path().getFileName().toString())
            + "  llama.cpp %s, %d threads, flash attention %s, %d tokens of prompt, then %d, %d rounds"
                .formatted(
                    loaded.model().runtime().version(),
                    measured.options.threads(),
                    measured.options.flashAttention().name().toLowerCase(Locale.ROOT),
                    measured.prompt,
                    predict,
                    rounds));
    terminal.println(
        "%-12s %10s %10s   %-22s %-22s %8s %10s %10s"
            .formatted(
                "median",
                "prompt t/s",
                "gen. t/s",
                "prompt time (95 %)",
                "generation time (95 %)",
                "nodes/t",
                "bytes/t",
                "Java B/t"));
    for (Contest.Result r : measured.modes) {
      terminal.println(
          "%-12s %10.0f %10.1f   %-22s %-22s %8.0f %10.0f %10.0f"
              .formatted(
                  r.mode(),
                  r.promptTokensPerSecond().median(),
                  r.generationTokensPerSecond().median(),
                  r.promptTimeRatio().text(),
                  r.generationTimeRatio().text(),
                  r.observedNodesPerToken().median(),
                  r.observedBytesPerToken().median(),
                  r.allocatedBytesPerToken().median()));
    }
    terminal.println(
        terminal.styled(
            "@|faint idle: hook armed, nothing observed; times are relative to untraced in the same"
                + " piece; nodes and bytes observed and bytes allocated by Java are per generated"
                + " token|@"));
  }

  private Map<String, @Nullable Object> toJson(LoadedModel loaded, List<Measured> measured) {
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
    return root;
  }
}
