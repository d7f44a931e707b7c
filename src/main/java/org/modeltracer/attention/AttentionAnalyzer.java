package org.modeltracer.attention;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.HeadId;
import org.modeltracer.model.ModelShape;

/**
 * Reduces attention rows as they are made, and tells what the heads do.
 *
 * <p>Rows come layer by layer within a forward pass, queries of a head in ascending order, and are
 * never kept but for a capped sample. Two analyzers of the same model and options merge: halves
 * analysed apart give what the whole would have given. Not thread-safe.
 */
public final class AttentionAnalyzer {
  final ModelShape shape;
  final AttentionOptions options;
  final @Nullable HeadStats[] heads;
  final RowSample sample;
  final ContentPairs pairs;
  private final RowMeasure measure;
  private final Map<Integer, PromptTrace> open = new HashMap<>();
  private @Nullable ValueNorms valueNorms;

  /** An analyzer of one model. */
  public AttentionAnalyzer(ModelShape shape, AttentionOptions options) {
    this.shape = shape;
    this.options = options;
    int count = shape.layers() * shape.heads();
    this.heads = new HeadStats[count];
    this.sample = new RowSample(count, options.sampleBytes(), options.seed());
    this.pairs = new ContentPairs(options.maxPositions());
    this.measure = new RowMeasure(options);
  }

  /** Takes norms of projected values from here on, for norm-weighted attention. */
  public void valueNorms(ValueNorms norms) {
    valueNorms = norms;
  }

  /**
   * Starts a prompt: rows of this sequence belong to it until another one starts.
   *
   * @param sequence sequence id of the rows
   * @param prompt number that no other prompt of the analysis has, also not one merged later
   * @param tokens its tokens; may grow while it runs
   */
  public void beginPrompt(int sequence, long prompt, TokenTrack tokens) {
    open.put(sequence, new PromptTrace(prompt, tokens, shape.layers(), options));
  }

  /** Takes one row; it is read only during the call. */
  public void row(AttentionRow row) {
    PromptTrace prompt = open.get(row.sequence());
    if (prompt == null) {
      beginPrompt(row.sequence(), row.sequence(), new TokenTrack());
      prompt = open.get(row.sequence());
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
    sample.offer(prompt.id, index(row.layer(), row.head()), measure, row);
    if (prompt.first(row.query())) {
      pairs.add(prompt.tokens, row.query());
    }
    prompt.add(measure, row);
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
    pairs.merge(other.pairs);
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
