package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.modeltracer.attention.AttentionCollector;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.cli.export.ArrayWriter;
import org.modeltracer.cli.export.ExportFolder;
import org.modeltracer.cli.export.ExportPlan;
import org.modeltracer.cli.export.ExportPlan.What;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.PromptProgress;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.model.ModelShape;
import org.modeltracer.session.EmbeddingReader;
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

/** Writes what a model computes for a prompt as NumPy files. */
@Command(
    name = "export",
    description = "Run a model on a prompt and write its arrays as NumPy files.",
    sortOptions = false)
final class ExportCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;
  @Mixin private ModelArguments model;
  @Mixin private PromptArguments prompt;
  @Mixin private ContextArguments context;

  @Option(
      names = "--what",
      paramLabel = "WHAT",
      split = ",",
      hideParamSyntax = true,
      description =
          "${COMPLETION-CANDIDATES} (default: tokens,attention,hidden,logits, or embedding for"
              + " logits where the model makes one of the text).")
  private Set<What> what = EnumSet.noneOf(What.class);

  @Option(
      names = "--trace-layers",
      paramLabel = "N",
      split = ",",
      hideParamSyntax = true,
      description = "Layers to export (default: all).")
  private List<Integer> layers = List.of();

  @Option(
      names = "--trace-heads",
      paramLabel = "N",
      split = ",",
      hideParamSyntax = true,
      description = "Heads whose attention is exported (default: all).")
  private List<Integer> heads = List.of();

  @Option(
      names = "--out",
      paramLabel = "DIR",
      defaultValue = "modeltracer-out",
      description = "Folder for the files (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Option(names = "--json", description = "Print the list of files as JSON.")
  private boolean json;

  @Override
  public Integer call() {
    var terminal = Terminal.of(spec);
    try (var interrupt = new Interrupt();
        var loaded = LoadedModel.open(model, terminal);
        var tracer = new ModelTracer(config(loaded.file()))) {
      int[] tokens = prompt.tokens(loaded.model().vocabulary());
      SessionOptions options =
          SessionOptions.defaults().withContext(context.options(loaded.file()));
      refuseEncoderDecoder(loaded.model());
      try (var session = TracedSession.open(loaded.model(), options, tracer);
          var broken = BrokenNumbers.watch(session, tracer, loaded.file())) {
        interrupt.cancels(session::cancel);
        session.listen(new PromptProgress(terminal));
        session.check(tokens);
        var plan =
            new ExportPlan(
                session.sites(),
                loaded.file().pooling().orElse(null),
                what,
                tokens.length,
                layers,
                heads);
        write(plan, loaded, session, tracer, tokens);
        report(plan, session, tokens.length, terminal);
        broken.complain();
      }
      return ExitCode.PASS.code();
    }
  }

  private TracerConfig config(GgufFile file) {
    if (what.isEmpty()) {
      what = usual(file);
    }
    return TracerConfig.builder()
        .activations(true)
        .attention(what.contains(What.ATTENTION) || what.contains(What.ROLLOUT))
        .layers(layers)
        .heads(heads)
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

  private void write(
      ExportPlan plan,
      LoadedModel loaded,
      TracedSession session,
      ModelTracer tracer,
      int[] tokens) {
    try (var folder = new ExportFolder(out, plan.bytes())) {
      var arrays = new ArrayWriter(plan, tokens.length, folder);
      tracer.addListener(arrays);
      session.listen(arrays);
      arrays.tokens(tokens);
      Optional<EmbeddingReader> embedding = embedding(loaded.file(), session);
      embedding.ifPresent(session::listen);
      if (what.contains(What.ROLLOUT)) {
        var collector = new AttentionCollector(shape(plan, loaded), rolloutOptions(plan, tokens));
        tracer.addListener(collector);
        session.evaluate(tokens, true);
        arrays.rollout(collector.rollout(0));
      } else {
        session.evaluate(tokens, true);
      }
      embedding.ifPresent(reader -> arrays.embedding(reader.embedding()));
      folder.publish();
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
  private static AttentionOptions rolloutOptions(ExportPlan plan, int[] tokens) {
    long n = tokens.length;
    long triangles = 2L * (plan.depth() + 2) * n * (n + 1);
    long room = Runtime.getRuntime().maxMemory() / 4;
    return AttentionOptions.defaults().withBytes(0, Math.min(triangles, room));
  }

  private void report(ExportPlan plan, TracedSession session, int positions, Terminal terminal) {
    long dropped = session.cost().droppedKeys();
    if (dropped > 0) {
      plan.notes().add("rows of attention lack " + dropped + " keys whose position is not known");
    }
    if (json) {
      terminal.print(Json.pretty(toJson(plan, positions)));
      return;
    }
    plan.notes().forEach(note -> terminal.note("modeltracer: note: " + note));
    for (ExportPlan.Entry entry : plan.entries()) {
      terminal.println(
          "%-20s %-8s %-20s %,14d bytes"
              .formatted(
                  entry.file(),
                  entry.type().name().toLowerCase(Locale.ROOT),
                  entry.shape().stream().map(String::valueOf).collect(Collectors.joining(" × ")),
                  entry.bytes()));
    }
    terminal.println("%d files in %s".formatted(plan.entries().size(), out));
  }

  private Map<String, Object> toJson(ExportPlan plan, int positions) {
    var root = new LinkedHashMap<String, Object>();
    root.put("folder", out.toString());
    root.put("positions", positions);
    root.put("files", plan.entries().stream().map(ExportCommand::toJson).toList());
    root.put("notes", plan.notes());
    return root;
  }

  private static Map<String, Object> toJson(ExportPlan.Entry entry) {
    var file = new LinkedHashMap<String, Object>();
    file.put("file", entry.file());
    file.put("what", entry.what());
    file.put("layer", entry.layer());
    file.put("heads", entry.what() == What.ATTENTION ? entry.heads() : null);
    file.put("type", entry.type());
    file.put("shape", entry.shape());
    file.put("bytes", entry.bytes());
    return file;
  }
}
