package org.modeltracer.heads;

import org.modeltracer.model.AttentionRow;

/**
 * What queries of a layer were seen to look at.
 *
 * @param kind what the rows together show
 * @param widest keys of the widest row
 */
public record Mask(Kind kind, int widest) {
  /** Kinds of masks, from the narrowest. */
  public enum Kind {
    /** The query's own position and all before it. */
    CAUSAL,
    /** The latest positions only; a window longer than the probe looks causal. */
    SLIDING_WINDOW,
    /** Later positions too; scores that compare with the past are not taken. */
    BIDIRECTIONAL
  }

  /** What one row shows. */
  static Mask of(AttentionRow row) {
    int n = row.size();
    if (!row.causal()) {
      return new Mask(Kind.BIDIRECTIONAL, n);
    }
    return new Mask(n > 0 && row.key(0) > 0 ? Kind.SLIDING_WINDOW : Kind.CAUSAL, n);
  }

  /** What two of them show together. */
  Mask and(Mask other) {
    return new Mask(
        kind.compareTo(other.kind) > 0 ? kind : other.kind, Math.max(widest, other.widest));
  }
}
