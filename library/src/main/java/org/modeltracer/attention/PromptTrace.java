package org.modeltracer.attention;

import org.jspecify.annotations.Nullable;
import org.modeltracer.model.ModelShape;

/** One sequence in flight: its tokens, the layer being averaged, its rollout and flow. */
final class PromptTrace {
  final long id;
  final TokenTrack tokens;
  RunningRollout rollout;
  LayerMeans layers;
  private final RolloutTotals totals;
  private final @Nullable TokenScores @Nullable [] scores;
  private final HeadMean mean = new HeadMean();
  private int newest = -1;
  private int counted;
  private boolean passing;
  private boolean cut;

  PromptTrace(
      long id,
      TokenTrack tokens,
      ModelShape shape,
      AttentionOptions options,
      RolloutTotals totals) {
    this.id = id;
    this.tokens = tokens;
    this.totals = totals;
    this.rollout = new RunningRollout(shape.layers(), options.bounds().layerBytes());
    this.layers = new LayerMeans(shape.layers(), options.bounds().layerBytes());
    this.scores = options.tokenScores() ? new TokenScores[shape.layers() * shape.heads()] : null;
  }

  /** Goes on from the first {@code reused} positions of the prompt before. */
  void resume(PromptTrace before, int reused) {
    rollout = before.rollout.prefix(reused);
    layers = before.layers.prefix(reused);
    newest = reused - 1;
    counted = rollout.known();
  }

  /** Whether this query is seen for the first time, in any layer and head. */
  boolean first(int query) {
    if (query <= newest) {
      return false;
    }
    newest = query;
    return true;
  }

  /** Scores token by token of a head with a causal mask, where they are kept. */
  void score(RowMeasure row, int head) {
    if (scores != null) {
      TokenScores own = scores[head];
      if (own == null) {
        own = new TokenScores();
        scores[head] = own;
      }
      own.add(row);
    }
  }

  /** Takes a row for rollout and flow. */
  void follow(RowMeasure row) {
    if (passing && row.layer < mean.layer) {
      endForward();
    }
    if (!passing || mean.layer != row.layer) {
      finishLayer();
      int firstQuery = passing ? Math.min(mean.first, row.query) : row.query;
      mean.start(row.layer, firstQuery, layers.stopped() == null);
      passing = true;
    }
    if (row.query >= mean.first
        && rollout.accepts(mean.first, row.last(), row.last() > row.query)) {
      mean.add(row);
    }
    noteCut();
  }

  /** Notes a row that cannot be followed. */
  void lose(int layer, int query) {
    rollout.lose(layer, query);
    noteCut();
  }

  private void noteCut() {
    if (!cut && !rollout.isWhole()) {
      cut = true;
      totals.cut();
    }
  }

  /** Scores token by token of a head, or null when they are not kept. */
  @Nullable TokenScores scores(int head) {
    TokenScores own = scores == null ? null : scores[head];
    return own == null ? null : own.copy();
  }

  CollectedPrompt collected() {
    return new CollectedPrompt(id, tokens.texts(), rollout.collected(), layers.copy());
  }

  private void finishLayer() {
    if (passing && mean.size > 0) {
      mean.finish();
      totals.add(mean);
      rollout.layer(mean);
      layers.layer(mean);
    }
  }

  void endForward() {
    finishLayer();
    passing = false;
    rollout.endForward();
    count();
    if (rollout.isStopped()) {
      mean.release();
    }
    noteCut();
  }

  /** Brings the totals up to date with all passes that have ended. */
  void settle() {
    rollout.settle();
    count();
  }

  private void count() {
    for (; counted < rollout.known(); counted++) {
      totals.add(counted, rollout.row(counted));
    }
  }
}
