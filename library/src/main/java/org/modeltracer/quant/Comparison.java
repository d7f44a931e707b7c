package org.modeltracer.quant;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.language.TextWindows;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.NativeWarning;
import org.modeltracer.llama.Vocabulary;
import org.modeltracer.model.Site;
import org.modeltracer.session.SessionListener;

/**
 * Two models, or one model on two runtimes or with two settings, on the same tokens.
 *
 * <p>Both run at the same time, node beside node, so that one node's values are in memory and not a
 * whole pass. Use it from one thread; only {@link #cancel} may come from elsewhere.
 */
public final class Comparison implements AutoCloseable {
  /** Tokens read at a time by default, as llama-perplexity has it. */
  public static final int WINDOW = 512;

  /** Listens for how far a comparison is. */
  public interface Progress {
    /** {@code done} of {@code all} tokens; each counts once for every run over the text. */
    void at(long done, long all);
  }

  private final GgufFile referenceFile;
  private final GgufFile otherFile;
  private final OpenModel reference;
  private final Partner partner;
  private final Precision precision;
  private final boolean sameWeights;
  private final int window;
  private volatile boolean cancelled;
  private int mostKept;

  private Comparison(Setup one, Setup two) {
    referenceFile = LoadChecks.read(one.model());
    otherFile = LoadChecks.read(two.model());
    Mismatch.of(referenceFile, otherFile)
        .ifPresent(
            what -> {
              throw new LlamaException(
                  LlamaException.Kind.ARGUMENT,
                  "%s and %s are not the same model: %s"
                      .formatted(two.model().getFileName(), one.model().getFileName(), what));
            });
    window = window(one.context());
    LlamaRuntime runtime = one.engine().runtime();
    reference = new OpenModel(runtime, sized(one));
    try {
      partner =
          Objects.equals(one.engine().library(), two.engine().library())
              ? new ThreadPartner(runtime, sized(two))
              : new ProcessPartner(sized(two));
      boolean offloads = reference.offloads() || partner.offloads();
      precision = Precision.of(one.context(), two.context(), offloads);
      sameWeights = Files.isSameFile(one.model(), two.model());
    } catch (IOException e) {
      reference.close();
      throw new UncheckedIOException(e);
    } catch (RuntimeException e) {
      reference.close();
      throw e;
    }
  }

  /**
   * Opens two models.
   *
   * @param reference what is compared with
   * @param other what is compared; on another library it runs in a process of its own
   * @throws LlamaException when they are not the same model apart from their weights' values, or
   *     cannot be loaded
   */
  public static Comparison open(Setup reference, Setup other) {
    return new Comparison(reference, other);
  }

  private int window(ContextOptions context) {
    if (context.size().tokens() > 0) {
      return context.size().tokens();
    }
    return Math.clamp(referenceFile.trainedContext().orElse(WINDOW), 2, WINDOW);
  }

  /**
   * Both sides compute the same tokens together: as many as the reference does, and all of a window
   * where each token sees all others.
   */
  private Setup sized(Setup setup) {
    ContextOptions context = setup.context().withContextTokens(window);
    return setup.withContext(referenceFile.causal() ? context : context.withBatch(window, window));
  }

  /** A text to compare on when there is none: English, code, a table, about a thousand tokens. */
  public static String defaultText() {
    try (InputStream text = Comparison.class.getResourceAsStream("text.txt")) {
      return new String(Objects.requireNonNull(text).readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The reference's vocabulary, which is the other model's too. */
  public Vocabulary vocabulary() {
    return reference.model().vocabulary();
  }

  /** What llama.cpp warned of while it loaded the reference. */
  public List<NativeWarning> warnings() {
    return reference.model().warnings();
  }

  /** Tokens read at a time. */
  public int window() {
    return window;
  }

  /** llama.cpp releases: the reference's and the other's. */
  public List<String> versions() {
    return List.of(reference.model().runtime().version(), partner.version());
  }

  /**
   * Compares the models on a text.
   *
   * <p>A text longer than a window is read in {@link TextWindows}.
   *
   * @throws LlamaException when llama.cpp fails, or the comparison is cancelled
   */
  public QuantizationReport run(int[] tokens, ComparisonOptions options, Progress progress) {
    Predicate<NodePair> compared =
        pair -> options.everyNode() || pair.reference().place().site() != Site.OTHER;
    List<NodePair> all = NodePair.of(reference.session().nodes(), partner.nodes());
    List<NodePair> pairs = new ArrayList<>();
    all.stream()
        .filter(compared)
        .forEach(p -> pairs.add(new NodePair(pairs.size(), p.reference(), p.other())));
    if (pairs.isEmpty()) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT, "the two graphs have no node in common");
    }
    List<int[]> windows = TextWindows.of(tokens, window, vocabulary()).windows();
    boolean steers = options.local() && pairs.stream().anyMatch(NodePair::layerInput);
    boolean judges = options.local() && sameWeights;
    var progressed = new Passes(windows, 1 + (steers ? 1 : 0) + (judges ? 1 : 0), progress);
    var free =
        new ErrorTally(
            pairs, EmbeddingScore.of(referenceFile, otherFile, pairs), options.tolerance());
    progressed.run(pairs, _ -> false, free, free::begin);
    ErrorTally local = null;
    if (steers) {
      var own = new ErrorTally(pairs, null, options.tolerance());
      local = progressed.run(pairs, NodePair::layerInput, own, own::begin) ? own : null;
    }
    Rounding rounding = judges ? judge(pairs, progressed) : null;
    return new ComparedNodes(
            pairs, free, local, rounding, referenceFile, otherFile, options.thresholds())
        .report(windows, options.tolerance(), options.local());
  }

  private Rounding judge(List<NodePair> pairs, Passes passes) {
    LlamaRuntime runtime = reference.model().runtime();
    try (var arithmetic = new NodeArithmetic(runtime, referenceFile, precision)) {
      var judge = new RoundingJudge(arithmetic);
      passes.run(pairs, pair -> !pair.attention(), judge, (_, start) -> judge.begin(start));
      return judge.result();
    }
  }

  /** Takes the tokens of a window, and how many there were before it. */
  private interface Beginning {
    void begin(int[] tokens, long start);
  }

  /** Runs over all windows, which count together as progress. */
  private final class Passes {
    private final List<int[]> windows;
    private final int runs;
    private final Progress progress;
    private int run;

    Passes(List<int[]> windows, int runs, Progress progress) {
      this.windows = windows;
      this.runs = runs;
      this.progress = progress;
    }

    /** Runs all windows; returns whether the other model went on from the reference's anywhere. */
    boolean run(
        List<NodePair> pairs,
        Predicate<NodePair> steers,
        Lockstep.Comparator comparator,
        Beginning beginning) {
      var lockstep = new Lockstep(reference, partner, pairs, steers, comparator);
      long size = windows.stream().mapToLong(w -> w.length).sum();
      long done = 0;
      for (int[] tokens : windows) {
        if (cancelled) {
          throw new LlamaException(LlamaException.Kind.CANCELLED, "the comparison was cancelled");
        }
        beginning.begin(tokens, done);
        long before = run * size + done;
        var listener =
            new SessionListener() {
              @Override
              public void onPrompt(int read, int of) {
                progress.at(before + read, runs * size);
              }
            };
        try (var _ = reference.session().listen(listener)) {
          lockstep.run(tokens);
        }
        done += tokens.length;
      }
      run++;
      mostKept = Math.max(mostKept, lockstep.mostKept());
      return lockstep.steered();
    }
  }

  /** Ends the comparison as soon as possible; may be called from any thread. */
  public void cancel() {
    cancelled = true;
    reference.session().cancel();
  }

  /** The reference's side. */
  OpenModel reference() {
    return reference;
  }

  /** The other side. */
  Partner partner() {
    return partner;
  }

  /** Most nodes whose values had to be kept at a time because the two graphs' orders differ. */
  int mostKept() {
    return mostKept;
  }

  @Override
  public void close() {
    partner.close();
    reference.close();
  }
}
