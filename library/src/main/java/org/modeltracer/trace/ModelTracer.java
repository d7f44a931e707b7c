package org.modeltracer.trace;

import static java.util.Comparator.comparingInt;
import static java.util.Objects.requireNonNull;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Anomaly;
import org.modeltracer.anomaly.AnomalyBuilder;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Finding;
import org.modeltracer.anomaly.QuantizationLevel;
import org.modeltracer.anomaly.RootCause;
import org.modeltracer.kernels.Lanes;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.Place;
import org.modeltracer.model.ResidualChange;
import org.modeltracer.model.Site;
import org.modeltracer.model.Subscription;

/**
 * Turns what a model's forward passes show into numbers and anomalies, in bounded memory.
 *
 * <p>A pass is {@link #beginForward}, any number of {@code record…} calls in the order of
 * computation, {@link #endForward}. While nothing is wrong, and attention is not traced, none of
 * them allocates once every place has been seen. What the configuration leaves out is ignored.
 *
 * <p>An anomaly is reported to the listeners when it shows first; when it shows again it is
 * counted. Without a listener it is logged as a warning by {@code System.Logger} {@code
 * org.modeltracer}, with one, or where the tracer is {@link #quiet}, at debug level. It is a JFR
 * event either way.
 *
 * <p>Meant to be fed by one thread; others may ask for the summary at any time.
 */
public final class ModelTracer implements AutoCloseable {
  private final TracerConfig config;
  private final LogitScan scan = new LogitScan();
  private final TopK top;
  private final Announcer announcer;
  private final SummaryJson summary = new SummaryJson();
  private final AttentionTraces.HeadReport headReport = this::foundHead;
  private final ReadLanes readLanes = new ReadLanes();
  private Recording run;
  private int firstPosition;
  private int tokens;
  private boolean closed;

  /** A tracer that records what the configuration asks for. */
  public ModelTracer(TracerConfig config) {
    this(config, false);
  }

  private ModelTracer(TracerConfig config, boolean quiet) {
    this.config = config;
    announcer = new Announcer(quiet);
    top = new TopK(config.logitTopK());
    run = new Recording(config);
  }

  /** A tracer that logs nothing, though nobody may listen to it. */
  public static ModelTracer quiet(TracerConfig config) {
    return new ModelTracer(config, true);
  }

  /** What is traced. */
  public TracerConfig config() {
    return config;
  }

  /** Whether anything is traced. */
  public boolean isEnabled() {
    return config.isEnabled();
  }

  /**
   * Has a listener follow everything from now on, after those added before; closing what is
   * returned takes it off.
   */
  public Subscription addListener(TraceListener listener) {
    return announcer.add(listener);
  }

  /**
   * Says whose passes come next, for the events of the flight recorder.
   *
   * @param session number of the session that feeds this tracer
   * @param model number of its model
   */
  public synchronized void fedBy(long session, long model) {
    announcer.events.fedBy(session, model);
  }

  /** Begins a pass over so many tokens; returns its index from 0, or -1 when nothing is traced. */
  public synchronized int beginForward(int position, int tokens) {
    if (!isEnabled()) {
      return -1;
    }
    firstPosition = position;
    this.tokens = tokens;
    int forward = run.forwards++;
    announcer.events.beginForward();
    for (TraceListener listener : announcer.listeners()) {
      listener.onForward(forward, position, tokens);
    }
    return forward;
  }

  /** Records a tensor. It is read during the call only. */
  public synchronized void recordActivation(Observation seen) {
    if (!config.activations() || seen.stats().count() == 0) {
      return;
    }
    Finding finding = run.activations.record(seen);
    if (finding != null) {
      found(
          Anomaly.of(finding.at(seen.toString()))
              .place(seen.place())
              .head(seen.head())
              .expert(seen.expert())
              .tensor(seen.tensor(), seen.op())
              .position(seen.position())
              .stats(seen.stats().snapshot())
              .firstIndex(seen.firstIndex()));
    }
  }

  /** Records what a layer, from 0, did to the residual stream of some tokens. */
  public synchronized void recordResidual(int layer, ResidualChange change) {
    if (!config.activations() || change.rows() == 0) {
      return;
    }
    Finding finding = run.residual.record(layer, change);
    if (finding != null) {
      Place place = new Place(Site.LAYER_OUT, layer);
      found(Anomaly.of(finding.at(place.toString())).place(place).position(firstPosition));
    }
    for (TraceListener listener : announcer.listeners()) {
      listener.onResidual(layer, change);
    }
  }

  /** Records that the router of a layer chose an expert for a token. */
  public synchronized void recordExpert(int layer, int experts, int chosen) {
    if (!config.activations() || !run.experts.record(layer, experts, chosen)) {
      return;
    }
    for (int expert = 0; expert < experts; expert++) {
      if (run.experts.count(layer, expert) == 0) {
        String message =
            "layer %d, expert %d: never chosen in the first %d choices"
                .formatted(layer, expert, run.experts.choices(layer));
        found(
            Anomaly.of(AnomalyKind.DEAD_EXPERT, message)
                .place(new Place(Site.EXPERTS, layer))
                .expert(expert));
      }
    }
  }

  /** Records a row of a head without a learned sink. It is read during the call only. */
  public synchronized void recordAttention(AttentionRow row) {
    recordAttention(row, false);
  }

  /** Records a row; with a learned sink (gpt-oss) its weights may sum to less than 1. */
  public synchronized void recordAttention(AttentionRow row, boolean learnedSink) {
    if (!config.attention() || !run.attention.wants(row)) {
      return;
    }
    Finding finding = run.attention.record(row, learnedSink, run.forwards);
    if (finding != null) {
      found(new FoundInRow(row.layer(), row.head(), row.query(), finding));
    }
    tell(row);
  }

  private void tell(AttentionRow row) {
    for (TraceListener listener : announcer.listeners()) {
      listener.onAttentionRow(row);
    }
  }

  /** What is found in a row; reported when no other thread reads any more. */
  private record FoundInRow(int layer, int head, int query, Finding finding) {}

  private void found(FoundInRow in) {
    found(
        Anomaly.of(in.finding.at("L%dH%d, query %d".formatted(in.layer, in.head, in.query)))
            .place(new Place(Site.ATTENTION, in.layer))
            .head(in.head)
            .position(in.query));
  }

  /** Whether all who listen can take the rows of a layer from two threads at once. */
  public boolean inLanes() {
    for (TraceListener listener : announcer.listeners()) {
      if (!listener.inLanes()) {
        return false;
      }
    }
    return true;
  }

  /**
   * Records the rows of a layer, those of one lane while those of the other are; only where {@link
   * #inLanes}.
   *
   * @param heads number of the layer's query heads
   */
  public synchronized void recordAttention(int layer, int heads, LayerRows rows) {
    if (!config.attention()) {
      return;
    }
    run.attention.makeRoom(layer, heads);
    for (TraceListener listener : announcer.listeners()) {
      listener.onAttentionLayer(layer);
    }
    readLanes.rows = rows;
    try {
      Lanes.run(readLanes);
    } finally {
      readLanes.report();
    }
  }

  /** Has the lanes of a layer read; made once, since a pass is to allocate nothing. */
  private final class ReadLanes implements Lanes.Work {
    private final List<List<FoundInRow>> found = List.of(new ArrayList<>(), new ArrayList<>());
    private final List<RowTaker> takers = List.of(taker(0), taker(1));
    private @Nullable LayerRows rows;

    @Override
    public void lane(int lane) {
      requireNonNull(rows).read(lane, takers.get(lane));
    }

    private RowTaker taker(int lane) {
      return (row, learnedSink) -> {
        if (!run.attention.wants(row)) {
          return;
        }
        Finding finding = run.attention.record(row, learnedSink, run.forwards);
        if (finding != null) {
          found.get(lane).add(new FoundInRow(row.layer(), row.head(), row.query(), finding));
        }
        tell(row);
      };
    }

    /** Reports what was found, in the order in which one thread would have. */
    private void report() {
      rows = null;
      if (found.get(0).isEmpty() && found.get(1).isEmpty()) {
        return;
      }
      Stream.concat(found.get(0).stream(), found.get(1).stream())
          .sorted(comparingInt(FoundInRow::query).thenComparingInt(FoundInRow::head))
          .toList()
          .forEach(ModelTracer.this::found);
      found.forEach(List::clear);
    }
  }

  /**
   * Records the scores of the next token. They are read during the call only.
   *
   * @param position token position that the scores follow
   * @param logits float32 scores of all tokens
   * @param offset byte offset of the first score
   * @param vocabulary number of scores
   * @param chosen token that was chosen by them, -1 when none was (prompt)
   */
  public synchronized void recordLogits(
      int position, MemorySegment logits, long offset, int vocabulary, int chosen) {
    if (!isEnabled() || vocabulary == 0) {
      return;
    }
    scan.scan(logits, offset, vocabulary, top);
    Finding finding =
        run.logitRules.judge(vocabulary, scan.bad, scan.finite, scan.constant, scan.entropy);
    if (scan.bad == 0 && scan.finite > 0) {
      if (config.logits()) {
        run.logits.record(position, vocabulary, chosen, scan, top);
      }
      if (finding == null && chosen >= 0) {
        finding = run.logitRules.judgeStep(scan.entropy);
      }
    }
    if (finding != null) {
      found(
          Anomaly.of(finding.at("logits, position " + position))
              .place(Place.LOGITS)
              .position(Math.max(0, position - finding.since())));
    }
  }

  /** Records what a lens found about a token. */
  public synchronized void recordLogitEvolution(LogitEvolutionTrace trace) {
    if (config.logits()) {
      run.logits.record(trace);
    }
  }

  /** Records a generated token: step from 0, which starts a new text, token id, and its bytes. */
  public synchronized void recordToken(int step, int token, byte[] piece) {
    if (!isEnabled()) {
      return;
    }
    if (step == 0) {
      run.beginGeneration();
    }
    announcer.events.token(step, token);
    foundInText(run.repetition.accept(step, token));
    foundInText(run.utf8.accept(step, piece));
    for (TraceListener listener : announcer.listeners()) {
      listener.onToken(step, token, piece);
    }
  }

  private void foundInText(@Nullable Finding finding) {
    if (finding != null) {
      int position = Math.max(0, firstPosition + tokens - finding.since());
      found(Anomaly.of(finding.at("generated text")).position(position));
    }
  }

  /** Records the state of the KV cache after a step; the record is kept, not copied. */
  public synchronized void recordKvState(KvCacheStateTrace state) {
    if (!config.kvCache()) {
      return;
    }
    Finding finding = run.kv.record(state);
    if (finding != null) {
      found(Anomaly.of(finding.at("KV cache, step " + state.step())));
    }
  }

  /** Records the error of a tensor against the reference model. */
  public synchronized void recordQuantError(QuantizationErrorTrace trace) {
    if (!config.quantError()) {
      return;
    }
    run.quant.record(trace);
    Finding finding = trace.level().finding(trace.cosine());
    if (finding != null) {
      found(
          Anomaly.of(finding.at(trace.tensor())).place(trace.place()).tensor(trace.tensor(), null));
    }
  }

  /**
   * Ends a pass.
   *
   * @return of all anomalies since the pass before ended the first of the highest severity; one
   *     that was known already is returned as it showed first
   */
  public synchronized Optional<Anomaly> endForward() {
    if (!isEnabled()) {
      return Optional.empty();
    }
    if (config.attention()) {
      run.attention.judgeHeads(headReport);
    }
    int forward = run.forwards - 1;
    announcer.events.endForward(forward, firstPosition, tokens, run.anomalies.total());
    for (TraceListener listener : announcer.listeners()) {
      listener.onForwardEnd(forward);
    }
    Anomaly first = announcer.takeWorst();
    return first == null ? Optional.empty() : Optional.of(first);
  }

  private void foundHead(int layer, int head, Finding finding) {
    found(
        Anomaly.of(finding.at("L%dH%d".formatted(layer, head)))
            .place(new Place(Site.ATTENTION, layer))
            .head(head));
  }

  private void found(AnomalyBuilder anomaly) {
    report(anomaly.forward(run.forwards - 1).build());
  }

  /**
   * Reports an anomaly that was found elsewhere.
   *
   * @return the anomaly with its number, or its first occurrence if it was known already
   */
  public synchronized Anomaly report(Anomaly anomaly) {
    Anomaly kept = run.anomalies.add(anomaly);
    announcer.announce(kept, run.anomalies.fresh());
    return kept;
  }

  /** Attaches the root cause of a reported anomaly; a number that is not kept is ignored. */
  public synchronized void attachRootCause(int anomalyId, RootCause cause) {
    Anomaly known = run.anomalies.attach(anomalyId, cause);
    if (known != null) {
      announcer.events.rootCause(known, cause);
      for (TraceListener listener : announcer.listeners()) {
        listener.onRootCause(known);
      }
    }
  }

  /** Distinct anomalies so far, with repeats and root causes, in order of first occurrence. */
  public synchronized List<Anomaly> anomalies() {
    return run.anomalies.all();
  }

  /** What was seen of tensors. */
  public synchronized ActivationSummary activations() {
    return run.activationSummary();
  }

  /** What was seen of attention. */
  public synchronized AttentionSummary attention() {
    return run.attention.summary();
  }

  /** What was seen of the scores of the next token. */
  public synchronized LogitSummary logits() {
    return run.logits.summary();
  }

  /** Fills in a field of the summary: a record, or a map, as {@link Json} writes it. */
  public synchronized void describe(SummaryField field, Object value) {
    summary.describe(field, value);
  }

  /**
   * Has an analysis add to a section of the summary, in place of one that did before.
   *
   * @param analysis gives a record, or a map, whenever a summary is made
   */
  public synchronized void addAnalysis(SummarySection section, Supplier<?> analysis) {
    summary.add(section, analysis);
  }

  /** The run in ten numbers. */
  public synchronized ModelTracerSummary summary() {
    return new ModelTracerSummary(
        ModelTracerSummary.SCHEMA_VERSION,
        run.forwards,
        run.anomalies.total(),
        run.attention.rows(),
        run.logits.traces(),
        run.kv.steps(),
        run.kv.evictions(),
        run.kv.hitRate(),
        run.quant.count(QuantizationLevel.WARNING),
        run.quant.count(QuantizationLevel.CRITICAL));
  }

  /** The summary by field, for those who put it into a document of their own. */
  public synchronized Map<String, @Nullable Object> summaryFields() {
    return summary.fields(config, summary(), run);
  }

  /** The summary as JSON, valid by {@code summary.schema.json}. */
  public synchronized String summaryToJson() {
    return Json.pretty(summaryFields());
  }

  /** Forgets what was recorded; configuration, listeners and descriptions stay. */
  public synchronized void clear() {
    run = new Recording(config);
    announcer.takeWorst();
  }

  /** Tells the listeners that this was all. */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      for (TraceListener listener : announcer.listeners()) {
        listener.onEnd(anomalies());
      }
    }
  }
}
