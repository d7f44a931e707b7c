package org.modeltracer.attention;

import org.modeltracer.model.AttentionRow;

/** One sequence in flight: its tokens, the layer being averaged, its rollout and flow. */
final class PromptTrace {
  final long id;
  final TokenTrack tokens;
  final Rollout rollout;
  final LayerMeans flow;
  private final HeadMean mean = new HeadMean();
  private int newest = -1;
  private boolean passing;

  PromptTrace(long id, TokenTrack tokens, int layers, AttentionOptions options) {
    this.id = id;
    this.tokens = tokens;
    this.rollout = new Rollout(layers, options.layerBytes());
    this.flow = new LayerMeans(layers, options.layerBytes());
  }

  /** Whether this query is seen for the first time, in any layer and head. */
  boolean first(int query) {
    if (query <= newest) {
      return false;
    }
    newest = query;
    return true;
  }

  /** Number of positions seen. */
  int length() {
    return newest + 1;
  }

  void add(RowMeasure row, AttentionRow window) {
    if (!passing || mean.layer != row.layer) {
      finishLayer();
      int firstQuery = passing ? Math.min(mean.first, row.query) : row.query;
      mean.start(row.layer, firstQuery, flow.stopped() == null);
      passing = true;
    }
    if (row.query >= mean.first && rollout.accepts(mean.first, row.query)) {
      mean.add(row, window);
    }
  }

  private void finishLayer() {
    if (passing && mean.size > 0) {
      mean.finish();
      rollout.layer(mean);
      flow.layer(mean);
    }
  }

  void endForward() {
    finishLayer();
    passing = false;
    rollout.endForward();
    if (rollout.stopped() != null) {
      mean.release();
    }
  }
}
