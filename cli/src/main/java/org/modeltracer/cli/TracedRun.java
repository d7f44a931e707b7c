package org.modeltracer.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.PooledAttention;
import org.modeltracer.attention.report.AttentionAnalysis;
import org.modeltracer.attention.report.AttentionSection;
import org.modeltracer.cache.CacheStatistics;
import org.modeltracer.cli.terminal.AnomalyPrinter;
import org.modeltracer.cli.terminal.PromptProgress;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.diagnose.Diagnosis;
import org.modeltracer.gate.output.JsonHead;
import org.modeltracer.heads.AttentionTrace;
import org.modeltracer.lens.LensOptions;
import org.modeltracer.lens.LensTrace;
import org.modeltracer.report.Pictures;
import org.modeltracer.session.Generation;
import org.modeltracer.session.RunDescription;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.session.TracedSession;
import org.modeltracer.sparse.IndexerReport;
import org.modeltracer.sparse.IndexerTrace;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.SummarySection;
import org.modeltracer.trace.TracerConfig;

/** A model at work with everything that looks at it, prompt by prompt. */
final class TracedRun implements Traced, AutoCloseable {
  /** What a run may spend on reading output matrices before it begins. */
  static final double SECONDS_OF_MULTIPLICATIONS = 4e9;

  private final LoadedModel model;
  private final ModelTracer tracer;
  private final TracedSession session;
  private final Diagnosis diagnosis;
  private final RunDescription description;
  private final Pictures pictures;
  private final @Nullable AttentionTrace attention;
  private final @Nullable IndexerTrace indexer;
  private final List<Integer> decided = new ArrayList<>();
  private @Nullable LensTrace lens;
  private @Nullable CacheStatistics contents;

  TracedRun(LoadedModel model, SessionOptions options, TracerConfig config, Terminal terminal) {
    this.model = model;
    tracer = new ModelTracer(config);
    tracer.addListener(new AnomalyPrinter(terminal));
    attention = config.attention() ? attention(config) : null;
    session = TracedSession.open(model.model(), options, tracer);
    if (attention != null) {
      attention.attach(tracer, session);
      tracer.addAnalysis(SummarySection.ATTENTION, () -> AttentionSection.of(attention.analysis()));
    }
    indexer = IndexerTrace.beside(session, tracer).orElse(null);
    pictures = new Pictures(model.model(), config.logits()).attach(tracer, session);
    diagnosis = Diagnosis.attach(session, tracer, model.file());
    session.listen(new PromptProgress(terminal));
    description = new RunDescription(model.file(), session, options);
  }

  /** Puts a lens on the run: tracked scores are reported layer by layer. */
  void look() {
    TracerConfig config = tracer.config();
    lens =
        LensTrace.attach(
            session,
            new LensOptions(false, config.logitTopK(), config.trackedTokens()),
            reading -> {
              reading.traces().forEach(tracer::recordLogitEvolution);
              if (reading.decisiveLayer() != null) {
                decided.add(reading.decisiveLayer());
              }
            });
  }

  /** Decisive layer of each token that a lens saw, in order of generation. */
  List<Integer> decided() {
    return List.copyOf(decided);
  }

  private AttentionTrace attention(TracerConfig config) {
    var trace =
        new AttentionTrace(
            model.model(), model.file(), AttentionOptions.defaults(), SECONDS_OF_MULTIPLICATIONS);
    if (!config.layers().isEmpty() || !config.heads().isEmpty()) {
      trace.partly();
    }
    return trace;
  }

  LoadedModel model() {
    return model;
  }

  @Override
  public String name() {
    return model.name();
  }

  @Override
  public JsonHead head() {
    return JsonHead.of(model.file());
  }

  @Override
  public ModelTracer tracer() {
    return tracer;
  }

  TracedSession session() {
    return session;
  }

  /**
   * Generates, and remembers for the summary what was asked and what came of it.
   *
   * @param sent the prompt's text where a template has made it, for the summary; else null
   */
  Generation generate(
      int[] prompt, @Nullable String sent, int most, Predicate<Generation.Token> onToken) {
    description.prompts().begin(prompt, sent);
    if (attention != null) {
      attention.begin(session.decoded(prompt));
    }
    if (indexer != null) {
      indexer.begin();
    }
    if (lens != null) {
      lens.begin(prompt);
    }
    Generation generation =
        session.generates() ? session.generate(prompt, most, onToken) : read(prompt);
    description.prompts().end(generation);
    return generation;
  }

  /** Reads a prompt that the model has no answer to, as an embedding model has none. */
  private Generation read(int[] prompt) {
    long begin = System.nanoTime();
    session.evaluate(prompt, false);
    double seconds = (System.nanoTime() - begin) / 1e9;
    return new Generation(
        prompt.length, 0, List.of(), "", Generation.Finish.NO_OUTPUT, 0, seconds, 0);
  }

  /** What was generated so far, prompt by prompt. */
  List<Generation> generations() {
    return description.prompts().generations();
  }

  /** Reads what the KV cache holds, for the summary and the report. */
  void readCache() {
    contents = session.readCache();
  }

  /** What was read of the KV cache, null when nobody asked. */
  @Nullable CacheStatistics cacheContents() {
    return contents;
  }

  @Override
  public boolean describable() {
    return description.ready();
  }

  @Override
  public String summary() {
    description.describe(tracer);
    return tracer.summaryToJson();
  }

  @Override
  public @Nullable AttentionAnalysis analysis() {
    return attention == null ? null : attention.analysis();
  }

  /** What the model's indexers select, null where it has none. */
  @Nullable IndexerReport indexer() {
    return indexer == null ? null : indexer.report();
  }

  @Override
  public Record pictures() {
    return pictures.picture(indexer == null ? null : indexer.picture());
  }

  /** Attention matrices of the first prompt, to be read when nothing runs. */
  PooledAttention matrices() {
    return pictures.attention();
  }

  /** Whether an anomaly of at least that severity was found; never for null. */
  boolean found(@Nullable Severity least) {
    return least != null
        && tracer.anomalies().stream().anyMatch(a -> a.severity().compareTo(least) >= 0);
  }

  @Override
  public void close() {
    diagnosis.close();
    if (lens != null) {
      lens.close();
    }
    if (indexer != null) {
      indexer.close();
    }
    session.close();
    tracer.close();
  }
}
