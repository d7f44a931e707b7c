package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.modeltracer.attention.AttentionCollector;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.cli.export.ArrayWriter;
import org.modeltracer.cli.export.ExportFolder;
import org.modeltracer.cli.export.ExportIndex;
import org.modeltracer.cli.export.ExportPlan;
import org.modeltracer.cli.export.ExportPlan.What;
import org.modeltracer.cli.export.ExportedText;
import org.modeltracer.cli.export.TraceTables;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.PromptProgress;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.model.ModelShape;
import org.modeltracer.model.Subscription;
import org.modeltracer.session.EmbeddingReader;
import org.modeltracer.session.Generation;
import org.modeltracer.session.RunDescription;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.SelectionTrace;
import org.modeltracer.trace.Json;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Writes what a model computes for prompts, and for what it continues them with, as NumPy files.
 */
@Heading(Heading.Topic.ANALYSIS)
@Command(
    name = "export",
    description = {
      "Write what a model computes as NumPy files.",
      "With export.json beside them: tokens and their texts, model, shapes. With -p or -f given"
          + " more than once the arrays of each prompt lie in a folder of their own: prompt-0,"
          + " prompt-1, …",
    },
    footer = {
      "modeltracer export model.gguf -p \"The file is\"",
      "modeltracer export model.gguf -p \"One\" -p \"Two\" -n 16 --format npz",
      "modeltracer export model.gguf -p \"One\" --what q,k,v --trace-layers 0-2,5",
    },
    sortOptions = false)
final class ExportCommand implements Callable<Integer> {
  /** What is made of rows of attention. */
  private static final Set<What> ROWS = EnumSet.of(What.ATTENTION, What.ROLLOUT, What.TABLES);

  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;
  @Mixin private PromptArguments prompt;

  @Heading(Heading.Topic.SAMPLING)
  @Option(
      names = {"-n", "--predict", "--n-predict"},
      paramLabel = "N",
      defaultValue = "0",
      description =
          "Tokens to generate after each prompt, whose positions are exported too (default:"
              + " ${DEFAULT-VALUE}).")
  private int predict;

  @Mixin private ChoiceArguments choice;
  @Mixin private ChatArguments chat;
  @Mixin private ContextArguments context;

  @Option(
      names = "--what",
      paramLabel = "WHAT",
      split = ",",
      hideParamSyntax = true,
      description =
          "${COMPLETION-CANDIDATES} (default: tokens,attention,hidden,logits, or embedding for"
              + " logits where the model makes one of the text). q and k are as they meet in"
              + " attention, head_outputs come before the output matrix, mlp is what the last"
              + " matrix of the feed-forward block reads, indexer and selection are what sparse"
              + " attention scores and sees; tables are activations.csv and"
              + " heads.csv.")
  private Set<What> what = EnumSet.noneOf(What.class);

  @Option(
      names = "--trace-layers",
      paramLabel = "N-N,N,…",
      split = ",",
      hideParamSyntax = true,
      converter = NumberRange.Converter.class,
      description = "Layers to export, such as 0-2,5 (default: all).")
  private List<NumberRange> layers = List.of();

  @Option(
      names = "--trace-heads",
      paramLabel = "N-N,N,…",
      split = ",",
      hideParamSyntax = true,
      converter = NumberRange.Converter.class,
      description = "Heads whose attention is exported, such as 0-2,5 (default: all).")
  private List<NumberRange> heads = List.of();

  @Heading(Heading.Topic.OUTPUT)
  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "modeltracer-out/export",
      description = "Folder for the files (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Heading(Heading.Topic.OUTPUT)
  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      defaultValue = "npy",
      description =
          "npy for a file for each array, npz for one archive, export.npz, that numpy.load reads"
              + " (default: ${DEFAULT-VALUE}).")
  private ExportFolder.Format format = ExportFolder.Format.NPY;

  @Heading(Heading.Topic.OUTPUT)
  @Option(names = "--json", description = "Print export.json, and nothing else.")
  private boolean json;

  @Override
  public Integer call() {
    chat.check(prompt.tokens);
    ContextArguments.atLeast("-n", predict, 0);
    var terminal = Terminal.of(spec);
    try (var interrupt = new Interrupt();
        var loaded = LoadedModel.open(model, context, terminal);
        var tracer = new ModelTracer(config(loaded.file()))) {
      List<int[]> prompts = prompt.all(text -> chat.tokens(loaded.model(), text));
      loaded.remarks(prompts, terminal);
      SessionOptions options =
          SessionOptions.defaults()
              .withContext(context.options(loaded.file()))
              .withSampler(choice.options());
      refuseEncoderDecoder(loaded.model());
      try (var session = TracedSession.open(loaded.model(), options, tracer);
          var broken = BrokenNumbers.watch(session, tracer, loaded.file())) {
        interrupt.cancels(session::cancel);
        prompts.forEach(session::check);
        var run = new RunDescription(loaded.file(), session, options);
        var progress = new PromptProgress(terminal, "export", work(prompts));
        session.listen(progress);
        export(loaded, session, tracer, broken, run, texts(session, prompts), progress, terminal);
        broken.complain();
      }
      return ExitCode.PASS.code();
    }
  }

  /** Tokens that are computed, those of a continuation twice: to find it, and to export it. */
  private long work(List<int[]> prompts) {
    long each = prompts.stream().mapToLong(tokens -> tokens.length + predict).sum();
    return predict > 0 ? 2 * each : each;
  }

  /**
   * The texts that are exported. What follows a prompt is found first, since only then the arrays'
   * shapes are known.
   */
  private List<ExportedText> texts(TracedSession session, List<int[]> prompts) {
    var texts = new ArrayList<ExportedText>();
    for (int[] tokens : prompts) {
      String name = prompts.size() == 1 ? "" : "prompt-%d/".formatted(texts.size());
      var text = ExportedText.of(name, tokens);
      texts.add(predict == 0 ? text : text.continued(continuation(session, tokens), predict));
    }
    return texts;
  }

  private Generation continuation(TracedSession session, int[] tokens) {
    int room = session.context().sequenceTokens() - tokens.length;
    var generation = session.generate(tokens, true, Math.min(predict, room), token -> true);
    if (generation.finish() == Generation.Finish.CANCELLED) {
      throw new LlamaException(LlamaException.Kind.CANCELLED, "the generation was cancelled");
    }
    return generation;
  }

  private TracerConfig config(GgufFile file) {
    if (what.isEmpty()) {
      what = usual(file);
    }
    return TracerConfig.builder()
        .activations(true)
        .attention(!Collections.disjoint(what, ROWS))
        .layers(NumberRange.all(layers))
        .heads(NumberRange.all(heads))
        .build();
  }

  /** Where nothing is asked for: what the model puts out, and how it comes to it. */
  private static Set<What> usual(GgufFile file) {
    var usual = EnumSet.of(What.TOKENS, What.ATTENTION, What.HIDDEN);
    if (file.causal() || file.pooling().isEmpty()) {
      usual.add(What.LOGITS);
    }
    if (file.pooling().isPresent()) {
      usual.add(What.EMBEDDING);
    }
    return usual;
  }

  private static void refuseEncoderDecoder(LlamaModel model) {
    if (model.hasEncoder() && model.hasDecoder()) {
      throw new CliException(
          ExitCode.USAGE,
          "export does not take encoder-decoder models: the prompt is read by one half of the"
              + " model and continued by the other");
    }
  }

  private void export(
      LoadedModel loaded,
      TracedSession session,
      ModelTracer tracer,
      BrokenNumbers broken,
      RunDescription run,
      List<ExportedText> texts,
      PromptProgress progress,
      Terminal terminal) {
    List<ExportPlan> plans = texts.stream().map(text -> plan(text, session, loaded)).toList();
    long bytes = plans.stream().mapToLong(ExportPlan::bytes).sum();
    // The tables are those of the positions that are exported.
    broken.forget();
    try (var folder = new ExportFolder(out, format, bytes)) {
      for (int i = 0; i < texts.size(); i++) {
        write(texts.get(i), plans.get(i), folder, loaded, session, tracer, progress);
      }
      progress.end();
      run.describe(tracer);
      var index = new ExportIndex(tracer.summaryFields(), format, loaded.model().vocabulary());
      for (int i = 0; i < texts.size(); i++) {
        index.add(texts.get(i), plans.get(i));
      }
      tables(folder, index, tracer);
      missing(index, session, texts);
      String all = Json.pretty(index.toJson());
      folder.text(ExportIndex.FILE, all);
      folder.publish();
      report(index, plans, all, terminal);
    }
  }

  private ExportPlan plan(ExportedText text, TracedSession session, LoadedModel loaded) {
    return new ExportPlan(
        session.sites(),
        SelectionTrace.layers(session),
        loaded.file().pooling().orElse(null),
        Math.min(2, session.context().microBatchTokens()),
        text.name(),
        what,
        text.tokens().length,
        NumberRange.all(layers),
        NumberRange.all(heads));
  }

  private void write(
      ExportedText text,
      ExportPlan plan,
      ExportFolder folder,
      LoadedModel loaded,
      TracedSession session,
      ModelTracer tracer,
      PromptProgress progress) {
    var arrays = new ArrayWriter(plan, text.tokens().length, folder);
    Optional<EmbeddingReader> embedding = embedding(loaded.file(), session);
    var following = new ArrayList<Subscription>();
    following.add(tracer.addListener(arrays));
    following.add(session.listen(arrays));
    embedding.ifPresent(reader -> following.add(session.listen(reader)));
    arrays.tokens(text.tokens());
    if (arrays.wantsIndexers()) {
      var selections = SelectionTrace.attach(session, arrays::onSelection);
      following.add(selections::close);
    }
    if (what.contains(What.ROLLOUT)) {
      var collector =
          new AttentionCollector(
              shape(plan, loaded), rolloutOptions(plan, text.tokens(), loaded.file().causal()));
      following.add(tracer.addListener(collector));
      compute(text, session, progress);
      arrays.rollout(collector.rollout(0));
    } else {
      compute(text, session, progress);
    }
    embedding.ifPresent(reader -> arrays.embedding(reader.embedding()));
    following.forEach(Subscription::close);
    folder.complete();
  }

  /** Computes a text in the passes in which it came about: prompt, then token by token. */
  private static void compute(ExportedText text, TracedSession session, PromptProgress progress) {
    session.evaluate(text.prompt(), true);
    for (int i = text.prompt().length; i < text.tokens().length; i++) {
      int position = i;
      session.pass(batch -> batch.add(text.tokens()[position], position, 0, true));
      progress.step();
    }
  }

  private void tables(ExportFolder folder, ExportIndex index, ModelTracer tracer) {
    if (what.contains(What.TABLES)) {
      index.tables(List.of("activations.csv", "heads.csv"));
      folder.text("activations.csv", TraceTables.activations(tracer.activations().places()));
      folder.text("heads.csv", TraceTables.heads(tracer.attention().heads()));
    }
  }

  /** Notes what the arrays lack. */
  private void missing(ExportIndex index, TracedSession session, List<ExportedText> texts) {
    long dropped = session.cost().droppedKeys();
    if (dropped > 0) {
      index.note("rows of attention lack " + dropped + " keys whose position is not known");
    }
    if (texts.stream().anyMatch(text -> text.finish() == Generation.Finish.CONTEXT)) {
      index.note(
          "the context of %d tokens is full: not all of the %d tokens of -n were generated"
              .formatted(session.context().sequenceTokens(), predict));
    }
  }

  private Optional<EmbeddingReader> embedding(GgufFile file, TracedSession session) {
    return what.contains(What.EMBEDDING)
        ? file.pooling()
            .flatMap(
                pooling -> session.lastState().map(place -> new EmbeddingReader(place, pooling)))
        : Optional.empty();
  }

  private static ModelShape shape(ExportPlan plan, LoadedModel loaded) {
    LlamaModel model = loaded.model();
    return new ModelShape(
        loaded.file().architecture().orElse(""),
        plan.depth(),
        plan.heads(),
        model.kvHeads(),
        model.width(),
        model.vocabulary().size(),
        model.trainedContext());
  }

  /** As much memory as the rollout of a prompt in several batches can need, within the heap. */
  private static AttentionOptions rolloutOptions(ExportPlan plan, int[] tokens, boolean causal) {
    long n = tokens.length;
    long matrix = Float.BYTES * (causal ? n * (n + 1) / 2 : n * n);
    long room = Runtime.getRuntime().maxMemory() / 4;
    return AttentionOptions.defaults().withBytes(0, Math.min((plan.depth() + 3) * matrix, room));
  }

  private void report(ExportIndex index, List<ExportPlan> plans, String all, Terminal terminal) {
    if (json) {
      terminal.print(all);
      return;
    }
    index.notes().forEach(note -> terminal.note("modeltracer: note: " + note));
    int arrays = 0;
    for (ExportPlan plan : plans) {
      for (ExportPlan.Entry entry : plan.entries()) {
        terminal.println(
            "%-24s %-8s %-20s %,14d bytes"
                .formatted(
                    entry.file(),
                    entry.type().name().toLowerCase(Locale.ROOT),
                    entry.shape().stream().map(String::valueOf).collect(Collectors.joining(" × ")),
                    entry.bytes()));
        arrays++;
      }
    }
    terminal.println(
        "%d arrays in %s, described in %s"
            .formatted(
                arrays,
                format == ExportFolder.Format.NPZ ? out.resolve(ExportFolder.ARCHIVE) : out,
                out.resolve(ExportIndex.FILE)));
  }
}
