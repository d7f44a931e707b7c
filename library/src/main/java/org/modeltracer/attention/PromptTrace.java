package org.modeltracer.attention;

import org.jspecify.annotations.Nullable;
import org.modeltracer.model.ModelShape;

/**
 * One sequence in flight: its tokens, the layer being averaged, its rollout and flow. Rows of the
 * two lanes of a layer may come at once.
 */
final class PromptTrace {
  final long id;
  final TokenTrack tokens;
  RunningRollout rollout;
  LayerMeans layers;
  private final RolloutTotals totals;
  private final @Nullable TokenScores @Nullable [] scores;

  /** By lane; those of both make the layer's. */
  private final HeadMean[] means = {new HeadMean(), new HeadMean()};

  private volatile int newest = -1;
  private int counted;

  /** The layer at hand, -1 between passes. */
  private volatile int layer = -1;

  /** The first query of the pass. */
  private int first;

  /** Whether the rollout goes on through the layer at hand. */
  private boolean following;

  private @Nullable String obstacle;
  private int refused;
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
    return query > newest && isNewest(query);
  }

  private synchronized boolean isNewest(int query) {
    boolean newer = query > newest;
    newest = Math.max(newest, query);
    return newer;
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
    if (layer != row.layer) {
      turnTo(row.layer, row.query);
    }
    HeadMean mean = means[row.lane];
    if (mean.layer != row.layer) {
      mean.start(row.layer, Math.min(first, row.query), layers.stopped() == null);
    }
    if (!following || row.query < mean.first) {
      return;
    }
    if (row.last() > row.query) {
      lookAhead();
    }
    String reason = rollout.obstacle(mean.first, row.last());
    if (reason == null) {
      mean.add(row);
    } else {
      refuse(reason, row.last());
    }
  }

  private synchronized void lookAhead() {
    rollout.lookAhead();
  }

  /** Notes why the rollout ends with this layer: the reason of the first row that it ends at. */
  private synchronized void refuse(String reason, int last) {
    if (obstacle == null || last < refused) {
      obstacle = reason;
      refused = last;
    }
  }

  /** Goes on to a layer, with the first of its rows. */
  private synchronized void turnTo(int next, int query) {
    if (layer == next) {
      return;
    }
    complete(next);
    first = passing ? Math.min(first, query) : query;
    passing = true;
    following = !rollout.isStopped();
    layer = next;
  }

  /** Finishes the layer at hand if another one's rows are about to come. */
  void complete(int next) {
    if (passing && next < layer) {
      endForward();
    } else if (next != layer) {
      finishLayer();
    }
  }

  /** Notes a row that cannot be followed. */
  synchronized void lose(int layer, int query) {
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

  /** Makes the layer of its lanes. */
  private void finishLayer() {
    if (obstacle != null) {
      rollout.stop(obstacle);
      obstacle = null;
    }
    HeadMean mean = means[0];
    HeadMean other = means[1];
    if (mean.size == 0 || other.size > 0 && other.first < mean.first) {
      mean = means[1];
      other = means[0];
    }
    if (passing && mean.size > 0) {
      if (other.size > 0) {
        mean.add(other);
      }
      mean.finish();
      totals.add(mean);
      rollout.layer(mean);
      layers.layer(mean, tokens.size());
    }
    for (HeadMean lane : means) {
      lane.stop();
    }
    noteCut();
  }

  void endForward() {
    finishLayer();
    passing = false;
    layer = -1;
    rollout.endForward();
    count();
    if (rollout.isStopped()) {
      for (HeadMean lane : means) {
        lane.release();
      }
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
