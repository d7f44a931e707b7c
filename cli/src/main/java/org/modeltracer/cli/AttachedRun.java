package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attach.Origin;
import org.modeltracer.attach.RemoteContext;
import org.modeltracer.attach.RemoteDescription;
import org.modeltracer.attach.TextFollower;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.attention.report.AttentionSection;
import org.modeltracer.cli.terminal.AnomalyPrinter;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.heads.AttentionTrace;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.ModelOptions;
import org.modeltracer.model.Subscription;
import org.modeltracer.report.Pictures;
import org.modeltracer.session.Generation;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.SummarySection;
import org.modeltracer.trace.TraceListener;
import org.modeltracer.trace.TracerConfig;

/**
 * A context of a traced program with everything that looks at it.
 *
 * <p>What needs the model's file, which is that of texts, attention and pictures, begins when the
 * context's graphs have shown which file it is; nothing of them was read before.
 */
final class AttachedRun implements Traced, TextFollower, TraceListener, AutoCloseable {
  /** What may be spent on reading output matrices while the program waits. */
  private static final double MOST_MULTIPLICATIONS = 2e8;

  private final Origin origin;
  private final ModelTracer tracer;
  private final RunFiles files;
  private final Consumer<AttachedRun> passed;
  private final long begin = System.nanoTime();
  private @Nullable RemoteContext context;
  private @Nullable GgufFile file;
  private @Nullable LlamaModel vocabulary;
  private @Nullable AttentionTrace attention;
  private @Nullable Supplier<Pictures> blank;
  private @Nullable Pictures pictures;
  private final List<Subscription> drawing = new ArrayList<>();
  private int drawn = -1;
  private boolean spoken;
  private long passes;

  /**
   * A context that has just begun to work.
   *
   * @param passed called after each of its forward passes
   */
  AttachedRun(
      Origin origin,
      TracerConfig config,
      Path folder,
      Terminal terminal,
      Consumer<AttachedRun> passed) {
    this.origin = origin;
    this.passed = passed;
    tracer = new ModelTracer(config);
    tracer.addListener(new AnomalyPrinter(terminal));
    files = new RunFiles(this, folder);
    tracer.addListener(this);
  }

  /** The context, as soon as there is one. */
  void of(RemoteContext traced) {
    context = traced;
  }

  /**
   * The graphs of the context are known, and perhaps the file of its model.
   *
   * @param runtime a llama.cpp that reads the vocabulary
   * @return why texts, attention and pictures will be missing; empty where they will not
   */
  Optional<String> known(RemoteContext traced, @Nullable GgufFile model, LlamaRuntime runtime) {
    file = model;
    if (model == null) {
      return Optional.of(
          "its model's file is not known, so there are no texts, no attention.json and no"
              + " pictures.json; -m names it");
    }
    try {
      LlamaModel opened =
          runtime.open(model.path(), ModelOptions.defaults().withVocabularyOnly(true));
      vocabulary = opened;
      look(traced, model, opened);
      traced.follow(this);
      return Optional.empty();
    } catch (LlamaException | IllegalArgumentException e) {
      return Optional.of("no texts, no attention.json, no pictures.json: " + e.getMessage());
    }
  }

  private void look(RemoteContext traced, GgufFile model, LlamaModel opened) {
    TracerConfig config = tracer.config();
    long heads = 1;
    if (config.attention()) {
      var trace =
          new AttentionTrace(
              opened, traced.layers(), model, AttentionOptions.defaults(), MOST_MULTIPLICATIONS);
      if (!config.layers().isEmpty() || !config.heads().isEmpty()) {
        trace.partly();
      }
      trace.shown(traced.sites());
      tracer.addListener(trace);
      traced.listen(trace);
      tracer.addAnalysis(SummarySection.ATTENTION, () -> AttentionSection.of(trace.analysis()));
      attention = trace;
      heads = trace.heads();
    }
    long drawnHeads = Math.max(1, heads);
    blank = () -> new Pictures(opened, drawnHeads, config.logits());
  }

  /** Begins to draw the text of a sequence; what was drawn of another one is forgotten. */
  private void draw(int sequence) {
    drawn = sequence;
    spoken = false;
    drawing.forEach(Subscription::close);
    drawing.clear();
    Supplier<Pictures> maker = blank;
    RemoteContext traced = context;
    if (maker != null && traced != null) {
      Pictures fresh = maker.get();
      fresh.draw(sequence);
      drawing.add(tracer.addListener(fresh));
      drawing.add(traced.listen(fresh));
      pictures = fresh;
    }
  }

  @Override
  public void onText(int sequence, int reused, int[] tokens) {
    AttentionTrace trace = attention;
    if (trace != null) {
      trace.begin(sequence, reused, tokens);
    }
    if (!spoken) {
      // Of several texts the first that the model goes on with; programs probe before that.
      draw(sequence);
    }
    if (pictures != null && drawn == sequence) {
      pictures.onBegin(
          IntStream.range(0, tokens.length)
              .filter(p -> known(tokens[p]))
              .mapToObj(p -> token(tokens[p], p))
              .toList());
    }
  }

  @Override
  public void onMore(int sequence, int position, int[] tokens) {
    for (int i = 0; i < tokens.length; i++) {
      append(sequence, tokens[i]);
      if (pictures != null && drawn == sequence && known(tokens[i])) {
        pictures.onMore(List.of(token(tokens[i], position + i)));
      }
    }
  }

  @Override
  public void onChosen(int sequence, int position, int token) {
    append(sequence, token);
    spoken |= drawn == sequence;
    if (pictures != null && drawn == sequence && known(token)) {
      pictures.onToken(token(token, position));
    }
  }

  private void append(int sequence, int token) {
    AttentionTrace trace = attention;
    LlamaModel opened = vocabulary;
    if (trace != null) {
      String text = opened != null && known(token) ? opened.vocabulary().text(token) : "";
      trace.append(sequence, token, text);
    }
  }

  private boolean known(int token) {
    LlamaModel opened = vocabulary;
    return opened != null && token >= 0 && token < opened.vocabulary().size();
  }

  private Generation.Token token(int id, int position) {
    LlamaModel opened = vocabulary;
    byte[] bytes = opened == null ? new byte[0] : opened.vocabulary().piece(id, true);
    return new Generation.Token(id, position, bytes);
  }

  @Override
  public void onForwardEnd(int forward) {
    passes++;
    files.keep();
    passed.accept(this);
  }

  /** Forward passes so far. */
  long passes() {
    return passes;
  }

  Origin origin() {
    return origin;
  }

  /** The file of its model, null where it is not known. */
  @Nullable GgufFile file() {
    return file;
  }

  /** The context, null before it has begun. */
  @Nullable RemoteContext context() {
    return context;
  }

  RunFiles files() {
    return files;
  }

  @Override
  public ModelTracer tracer() {
    return tracer;
  }

  @Override
  public String name() {
    GgufFile known = file;
    return known == null
        ? "process " + Integer.toUnsignedString(origin.pid())
        : String.valueOf(known.path().getFileName());
  }

  @Override
  public @Nullable JsonHead head() {
    GgufFile known = file;
    return known == null ? null : JsonHead.of(known);
  }

  @Override
  public boolean describable() {
    return context != null;
  }

  @Override
  public String summary() {
    RemoteContext traced = context;
    if (traced != null) {
      RemoteDescription.describe(origin, traced, file, (System.nanoTime() - begin) / 1e9);
    }
    return tracer.summaryToJson();
  }

  @Override
  public @Nullable AttentionAnalysis analysis() {
    AttentionTrace trace = attention;
    return trace == null ? null : trace.analysis();
  }

  @Override
  public @Nullable Record pictures() {
    Pictures now = pictures;
    return now == null ? null : now.picture();
  }

  @Override
  public void close() {
    tracer.close();
    LlamaModel opened = vocabulary;
    if (opened != null) {
      opened.close();
    }
  }
}
