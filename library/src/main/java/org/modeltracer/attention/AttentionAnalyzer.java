package org.modeltracer.attention;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.HeadId;
import org.modeltracer.model.ModelShape;
import org.modeltracer.trace.TraceListener;

/**
 * Reduces attention rows as they are made, and tells what the heads do.
 *
 * <p>Rows come layer by layer within a forward pass, queries of a head in ascending order, and are
 * never kept but for a capped sample. Two analyzers of the same model and options merge: halves
 * analysed apart give what the whole would have given. Not thread-safe.
 */
public final class AttentionAnalyzer implements TraceListener {
  final ModelShape shape;
  final AttentionOptions options;
  final @Nullable HeadStats[] heads;
  final QuerySample sample;
  final HeadOutputs outputs;
  final ContentPairs pairs;
  final ResidualFlow residual = new ResidualFlow();
  final RolloutTotals totals = new RolloutTotals();
  private final RowMeasure measure;
  private final Map<Integer, PromptTrace> open = new HashMap<>();
  private final Map<String, String> absent = new TreeMap<>();
  private @Nullable ValueNorms valueNorms;
  private @Nullable HeadCosts costs;
  private @Nullable PromptTrace example;
  private long latest = -1;

  /** An analyzer of one model. */
  public AttentionAnalyzer(ModelShape shape, AttentionOptions options) {
    this.shape = shape;
    this.options = options;
    int count = shape.layers() * shape.heads();
    this.heads = new HeadStats[count];
    this.sample =
        new QuerySample(count, options.sampleBytes(), q -> 4L * count * (q + 1), options.seed());
    this.outputs = new HeadOutputs(count, options);
    this.pairs = new ContentPairs(options.maxPositions());
    this.measure = new RowMeasure(options);
  }

  /** Takes norms of projected values from here on, for norm-weighted attention. */
  public void valueNorms(ValueNorms norms) {
    valueNorms = norms;
  }

  /** Takes what heads cost from here on, for pruning advice. */
  public void costs(HeadCosts ofHeads) {
    costs = ofHeads;
  }

  /** Notes that something cannot be computed, by field name of the result, and why. */
  public void absent(String field, String reason) {
    absent.put(field, reason);
  }

  Map<String, String> absent() {
    return absent;
  }

  /**
   * Starts a prompt: rows of this sequence belong to it until another one starts.
   *
   * @param sequence sequence id of the rows
   * @param prompt number that no other prompt of the analysis has, also not one merged later
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

  /** Number of the prompt begun last, -1 before the first. */
  public long latestPrompt() {
    return latest;
  }

  private PromptTrace begin(int sequence, long id, TokenTrack tokens) {
    var prompt = new PromptTrace(id, tokens, shape, options, totals);
    open.put(sequence, prompt);
    latest = id;
    totals.beginPrompt();
    prefer(prompt);
    return prompt;
  }

  private void prefer(PromptTrace candidate) {
    if (example == null || order(candidate.id) <= order(example.id)) {
      example = candidate;
    }
  }

  private long order(long prompt) {
    return QuerySample.hash(options.seed(), prompt, -1);
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
  public void onResidual(
      int layer, int rows, double normIn, double normDelta, double normOut, double cosine) {
    if (layer < shape.layers()) {
      residual.add(layer, rows, normIn, normOut, cosine, normDelta);
    }
  }

  /** Whether a row is one of those that are analysed: not an encoder's beside the decoder. */
  public boolean covers(AttentionRow row) {
    return row.layer() < shape.layers();
  }

  /** Takes one row; it is read only during the call. A row that sees later keys is left out. */
  public void row(AttentionRow row) {
    if (!covers(row)) {
      absent.putIfAbsent(
          "attention_weights." + row.layer(), "a layer of the encoder: attention is not causal");
      return;
    }
    if (row.size() > 0 && row.key(row.size() - 1) > row.query()) {
      absent.putIfAbsent(
          "attention_weights." + row.layer(),
          "attention is not causal: position " + row.query() + " sees later ones");
      return;
    }
    PromptTrace prompt = open.get(row.sequence());
    if (prompt == null) {
      prompt = begin(row.sequence(), row.sequence(), new TokenTrack());
    }
    HeadStats stats = stats(row.layer(), row.head());
    if (!measure.read(row, prompt.tokens)) {
      stats.badRows++;
      return;
    }
    float[] norms =
        valueNorms == null ? null : valueNorms.of(row.sequence(), row.layer(), row.head());
    if (norms != null) {
      measure.normWeighted(row, norms);
    }
    stats.add(measure, row, (float) options.connectedAbove());
    if (row.size() > 1) {
      keepSample(prompt.id, row);
    }
    if (prompt.first(row.query())) {
      pairs.add(prompt.tokens, row.query());
    }
    prompt.add(measure, row, index(row.layer(), row.head()));
  }

  private void keepSample(long prompt, AttentionRow row) {
    var slots = sample.slots(prompt, row.query());
    if (slots != null) {
      float[] copy = new float[row.query() + 1];
      for (int i = 0; i < measure.size; i++) {
        copy[row.key(i)] = measure.weights[i];
      }
      slots[index(row.layer(), row.head())] = copy;
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

  /**
   * Takes norms of the residual stream of one token through one layer.
   *
   * @param layer the layer
   * @param in ‖x_in‖
   * @param out ‖x_out‖
   * @param cosine of x_in and x_out
   * @param change ‖x_out − x_in‖
   */
  public void residual(int layer, double in, double out, double cosine, double change) {
    residual.add(layer, 1, in, out, cosine, change);
  }

  /** Ends a forward pass: the last layer's rows are complete. */
  public void endForward() {
    open.values().forEach(PromptTrace::endForward);
  }

  private int index(int layer, int head) {
    return layer * shape.heads() + head;
  }

  HeadId id(int index) {
    return new HeadId(index / shape.heads(), index % shape.heads());
  }

  /** Indices of the heads that have shown a row. */
  int[] seen() {
    return IntStream.range(0, heads.length).filter(i -> heads[i] != null).toArray();
  }

  /** The prompt that stands for all where only one can be shown. */
  @Nullable PromptTrace example() {
    return example;
  }

  @Nullable List<AttentionLayer.TokenScore> tokenScores(int index) {
    return example == null ? null : example.scores(index);
  }

  /** Number of the prompt that stands for all so far where only one can be shown, or null. */
  public @Nullable Long examplePrompt() {
    return example == null ? null : (Long) example.id;
  }

  /** The whole analysis so far; what needs the model's tensors is absent, with a reason. */
  public AttentionAnalysis result() {
    return result(null);
  }

  /**
   * The whole analysis so far.
   *
   * @param kept attention matrices to be included, or null
   */
  public AttentionAnalysis result(@Nullable RetainedAttention kept) {
    return AttentionAnalysis.of(this, costs, kept);
  }

  /** Statistics of a head that has shown a row. */
  HeadStats stats(int index) {
    return Objects.requireNonNull(heads[index]);
  }

  /** Scores and label of a head that has shown a row. */
  HeadSpecialization specialization(int index) {
    return HeadSpecialization.of(stats(index), pairs);
  }

  private HeadStats stats(int layer, int head) {
    if (layer < 0 || layer >= shape.layers() || head < 0 || head >= shape.heads()) {
      throw new IndexOutOfBoundsException(
          "no head L"
              + layer
              + "H"
              + head
              + " in a model of "
              + shape.layers()
              + " layers and "
              + shape.heads()
              + " heads");
    }
    int i = index(layer, head);
    HeadStats stats = heads[i];
    if (stats == null) {
      stats = new HeadStats(options);
      heads[i] = stats;
    }
    return stats;
  }

  /** Adds everything another analyzer has seen. */
  public void merge(AttentionAnalyzer other) {
    if (!shape.equals(other.shape) || !options.equals(other.options)) {
      throw new IllegalArgumentException(
          "analyses of different models or options cannot be merged; run both with the same");
    }
    for (int i = 0; i < heads.length; i++) {
      HeadStats theirs = other.heads[i];
      if (theirs != null) {
        stats(i / shape.heads(), i % shape.heads()).merge(theirs);
      }
    }
    sample.merge(other.sample);
    outputs.merge(other.outputs);
    pairs.merge(other.pairs);
    residual.merge(other.residual);
    totals.merge(other.totals);
    other.absent.forEach(absent::putIfAbsent);
    if (other.example != null) {
      prefer(other.example);
    }
  }

  /** Rollout of the prompt that a sequence is running, or null when it runs none. */
  public @Nullable Rollout rollout(int sequence) {
    PromptTrace prompt = open.get(sequence);
    return prompt == null ? null : prompt.rollout;
  }

  /** Scores of every head seen, as {@code heads} reports them after its probe. */
  public Map<HeadId, HeadScores> headScores() {
    var scores = new TreeMap<HeadId, HeadScores>();
    for (int i = 0; i < heads.length; i++) {
      HeadStats stats = heads[i];
      if (stats != null) {
        scores.put(id(i), HeadScores.of(stats));
      }
    }
    return scores;
  }
}
