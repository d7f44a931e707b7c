package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.kernels.Lanes;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.HeadId;
import org.modeltracer.model.ModelShape;
import org.modeltracer.model.ResidualChange;
import org.modeltracer.trace.TraceListener;

/**
 * Reduces attention rows as they are made.
 *
 * <p>Rows come layer by layer within a forward pass, queries of a head in ascending order, and are
 * never kept but for capped samples. Two collectors of the same model and options merge: halves
 * collected apart give what the whole would have given. Not thread-safe, but for rows of a layer's
 * two lanes, which may come at once.
 */
public final class AttentionCollector implements TraceListener {
  private final ModelShape shape;
  private final AttentionOptions options;
  private final @Nullable Head[] heads;
  private final QuerySample rows;
  private final HeadOutputs outputs;
  private final CopyDistances copies;
  private final LayerFlows residual = new LayerFlows();
  private final RolloutTotals rollout = new RolloutTotals();
  private final RowMeasure[] measures = new RowMeasure[Lanes.COUNT];
  private final Map<Integer, PromptTrace> open = new ConcurrentHashMap<>();
  private final NavigableMap<HeadId, TwoWayTotals> twoWay = new TreeMap<>();
  private final NavigableMap<Integer, Integer> leftOut = new ConcurrentSkipListMap<>();
  private @Nullable ValueNorms valueNorms;
  private @Nullable PromptTrace example;
  private @Nullable RetainedAttention matrices;
  private long prompts;

  /** Bytes of all heads' counters by position, which are up to 72 a head and position. */
  private static final long COUNTERS = 256L << 20;

  private final int positions;

  /** What one head accumulates. */
  private record Head(RowTotals rows, PositionCounters positions, MatchOffsets matches) {}

  /** A collector for one model. */
  public AttentionCollector(ModelShape shape, AttentionOptions options) {
    this.shape = shape;
    this.options = options;
    var bounds = options.bounds();
    int count = shape.layers() * shape.heads();
    this.heads = new Head[count];
    this.rows =
        new QuerySample(count, bounds.sampleBytes(), q -> 4L * count * (q + 1), options.seed());
    this.outputs = new HeadOutputs(count, options);
    this.copies = new CopyDistances(bounds.maxPositions());
    this.positions = Math.clamp(COUNTERS / (72L * Math.max(1, count)), 1, bounds.maxPositions());
    for (int lane = 0; lane < measures.length; lane++) {
      measures[lane] = new RowMeasure(options.thresholds());
    }
  }

  /** Takes norms of projected values from here on, for norm-weighted attention. */
  public void valueNorms(ValueNorms norms) {
    valueNorms = norms;
  }

  /**
   * Starts a prompt: rows of this sequence belong to it until another one starts.
   *
   * @param sequence sequence id of the rows
   * @param prompt number that no other prompt has, also not one merged later
   * @param tokens its tokens; may grow while it runs
   */
  public void beginPrompt(int sequence, long prompt, TokenTrack tokens) {
    begin(sequence, prompt, tokens);
  }

  /**
   * Starts a prompt whose first tokens need not be computed again, since the sequence's last prompt
   * began with them and the cache still holds them.
   *
   * <p>Their rows are not counted a second time; rollout and flow go on from what is known of them.
   *
   * @param reused number of those tokens
   */
  public void beginPrompt(int sequence, long prompt, TokenTrack tokens, int reused) {
    PromptTrace before = open.get(sequence);
    PromptTrace now = begin(sequence, prompt, tokens);
    if (before != null && reused > 0) {
      now.resume(before, reused);
    }
  }

  private synchronized PromptTrace begin(int sequence, long id, TokenTrack tokens) {
    var prompt = new PromptTrace(id, tokens, shape, options, rollout);
    PromptTrace before = open.put(sequence, prompt);
    if (before != null) {
      before.settle();
    }
    prompts++;
    if (preferred(prompt)) {
      example = prompt;
      long bytes = options.bounds().matrixBytes();
      matrices = bytes >= 0 ? new RetainedAttention(bytes) : null;
    }
    return prompt;
  }

  private boolean preferred(PromptTrace candidate) {
    return example == null || order(candidate.id) <= order(example.id);
  }

  private long order(long prompt) {
    return QuerySample.hash(options.seed(), prompt, -1);
  }

  @Override
  public boolean inLanes() {
    // Matrices are kept in one store, whose budget all heads share.
    return options.bounds().matrixBytes() < 0;
  }

  @Override
  public void onAttentionLayer(int layer) {
    open.values().forEach(prompt -> prompt.complete(layer));
  }

  @Override
  public void onAttentionRow(AttentionRow row) {
    row(row);
  }

  @Override
  public void onForwardEnd(int forward) {
    endForward();
  }

  @Override
  public void onResidual(int layer, ResidualChange change) {
    if (layer < shape.layers()) {
      residual.add(layer, change);
    }
  }

  /** Whether a row is one of those that are collected: not an encoder's beside the decoder. */
  public boolean covers(AttentionRow row) {
    return row.layer() < shape.layers();
  }

  /**
   * Takes one row; it is read only during the call.
   *
   * <p>A layer with a row that sees later keys has no causal mask: all its rows are measured both
   * ways instead, the last too, which sees none later. Rollout and flow take rows of either kind.
   */
  public void row(AttentionRow row) {
    if (!covers(row)) {
      leftOut.putIfAbsent(row.layer(), row.query());
      return;
    }
    PromptTrace prompt = prompt(row.sequence());
    RowMeasure measure = measures[row.lane()];
    if (leftOut.containsKey(row.layer()) || !row.causal()) {
      bothWays(row, prompt);
      follow(prompt, row, measure);
      return;
    }
    if (matrices != null && prompt == example) {
      matrices.row(row);
    }
    int index = index(row.layer(), row.head());
    Head head = head(index);
    if (!follow(prompt, row, measure)) {
      head.rows.addBad();
      return;
    }
    float[] norms =
        valueNorms == null ? null : valueNorms.of(row.sequence(), row.layer(), row.head());
    if (norms != null) {
      measure.normWeighted(norms);
    }
    head.rows.add(measure);
    head.positions.add(measure, (float) options.thresholds().connectedAbove());
    head.matches.add(measure, prompt.tokens);
    if (row.size() > 1) {
      keepSample(prompt, measure, index);
    }
    if (prompt.first(row.query())) {
      countCopies(prompt.tokens, row.query());
    }
    prompt.score(measure, index);
  }

  /** Measures a row and takes it for rollout and flow; false when a weight is not finite. */
  private boolean follow(PromptTrace prompt, AttentionRow row, RowMeasure measure) {
    boolean finite = measure.read(row, prompt.tokens);
    if (finite) {
      prompt.follow(measure);
    } else {
      prompt.lose(row.layer(), row.query());
    }
    return finite;
  }

  private PromptTrace prompt(int sequence) {
    PromptTrace prompt = open.get(sequence);
    return prompt == null ? begin(sequence) : prompt;
  }

  private synchronized PromptTrace begin(int sequence) {
    PromptTrace prompt = open.get(sequence);
    return prompt == null ? begin(sequence, sequence, new TokenTrack()) : prompt;
  }

  private synchronized void bothWays(AttentionRow row, PromptTrace prompt) {
    leaveOut(row.layer(), row.query());
    twoWay
        .computeIfAbsent(new HeadId(row.layer(), row.head()), h -> new TwoWayTotals())
        .add(row, prompt.tokens);
  }

  private synchronized void countCopies(TokenTrack tokens, int query) {
    copies.add(tokens, query);
  }

  /** Forgets what was taken for causal attention of a layer. */
  private void leaveOut(int layer, int query) {
    if (leftOut.putIfAbsent(layer, query) == null) {
      Arrays.fill(heads, layer * shape.heads(), (layer + 1) * shape.heads(), null);
    }
  }

  private void keepSample(PromptTrace prompt, RowMeasure measure, int index) {
    int query = measure.query;
    var slots = rows.slots(prompt.id, query, prompt.tokens.segmentStart(query));
    if (slots != null) {
      float[] copy = new float[measure.query + 1];
      Arrays.fill(copy, Float.NaN);
      for (int i = 0; i < measure.size; i++) {
        copy[measure.key(i)] = measure.weights[i];
      }
      slots[index] = copy;
    }
  }

  /**
   * Takes what a head wrote for one token: {@code length} floats from {@code offset} of a vector.
   */
  public void headOutput(
      int sequence, int layer, int head, int position, float[] vector, int offset, int length) {
    PromptTrace prompt = open.get(sequence);
    long id = prompt == null ? sequence : prompt.id;
    outputs.add(id, index(layer, head), position, vector, offset, length);
  }

  /** Ends a forward pass: the last layer's rows are complete. */
  public void endForward() {
    open.values().forEach(PromptTrace::endForward);
  }

  private int index(int layer, int head) {
    if (layer < 0 || layer >= shape.layers() || head < 0 || head >= shape.heads()) {
      throw new IndexOutOfBoundsException(
          "no head %s in a model of %d layers and %d heads"
              .formatted(new HeadId(layer, head), shape.layers(), shape.heads()));
    }
    return layer * shape.heads() + head;
  }

  private Head head(int index) {
    Head head = heads[index];
    if (head == null) {
      head = new Head(new RowTotals(), new PositionCounters(positions), new MatchOffsets());
      heads[index] = head;
    }
    return head;
  }

  /** Adds everything another collector has seen. */
  public void merge(AttentionCollector other) {
    if (!shape.equals(other.shape) || !options.equals(other.options)) {
      throw new IllegalArgumentException(
          "attention of different models or options cannot be merged; collect both with the same");
    }
    for (int i = 0; i < heads.length; i++) {
      Head theirs = other.heads[i];
      if (theirs != null) {
        Head own = head(i);
        own.rows.merge(theirs.rows);
        own.positions.merge(theirs.positions);
        own.matches.merge(theirs.matches);
      }
    }
    settle();
    other.settle();
    rows.merge(other.rows);
    outputs.merge(other.outputs);
    copies.merge(other.copies);
    residual.merge(other.residual);
    rollout.merge(other.rollout);
    prompts += other.prompts;
    other.leftOut.forEach(this::leaveOut);
    other.twoWay.forEach(
        (head, totals) -> twoWay.computeIfAbsent(head, h -> new TwoWayTotals()).merge(totals));
    if (other.example != null && preferred(other.example)) {
      example = other.example;
      matrices = other.matrices;
    }
  }

  private void settle() {
    open.values().forEach(PromptTrace::settle);
  }

  /** Rollout of the prompt that a sequence is running, or null when it runs none. */
  public @Nullable Rollout rollout(int sequence) {
    PromptTrace prompt = open.get(sequence);
    return prompt == null ? null : prompt.rollout.collected();
  }

  /** All that was collected so far. */
  public CollectedAttention collected() {
    settle();
    return new CollectedAttention(
        shape,
        prompts,
        collectedHeads(),
        rows.collected(),
        outputs.collected(),
        copies.copy(),
        rollout.means(),
        residual.means(),
        example == null ? null : example.collected(),
        matrices == null ? null : matrices.copy(),
        twoWayMeans(),
        new TreeMap<>(leftOut));
  }

  private NavigableMap<HeadId, TwoWayMeans> twoWayMeans() {
    var means = new TreeMap<HeadId, TwoWayMeans>();
    twoWay.forEach((head, totals) -> means.put(head, totals.means()));
    return means;
  }

  private List<CollectedHead> collectedHeads() {
    var collected = new ArrayList<CollectedHead>();
    for (int i = 0; i < heads.length; i++) {
      Head head = heads[i];
      if (head != null && !leftOut.containsKey(i / shape.heads())) {
        collected.add(
            new CollectedHead(
                new HeadId(i / shape.heads(), i % shape.heads()),
                i,
                new RowTotals().merge(head.rows),
                head.positions.copy(),
                new MatchOffsets().merge(head.matches),
                outputs.norm(i),
                example == null ? null : example.scores(i)));
      }
    }
    return collected;
  }
}
