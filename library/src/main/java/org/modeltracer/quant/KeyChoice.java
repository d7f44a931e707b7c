package org.modeltracer.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Site;

/**
 * Which keys the two sides attend to where an indexer selects them: of keys with equal scores any
 * may be taken, and no arithmetic says which.
 *
 * <p>The score of a key is a sum over heads of what is positive, so that several are 0 and equal.
 */
final class KeyChoice {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final BitSet otherwise = new BitSet();
  private float[] scores = {};
  private int keys;
  private int begun = -1;
  private int layer = -1;

  /** Keeps the scores of a batch, which the selections that follow are made of. */
  void scored(NodePair pair, int position, int rows, int width, MemorySegment values) {
    if (!pair.reference().op().equals(Op.LIGHTNING_INDEXER.name())) {
      return;
    }
    if (scores.length < rows * width) {
      scores = new float[rows * width];
    }
    MemorySegment.copy(values, FLOAT, 0, scores, 0, rows * width);
    keys = width;
    if (begun != position) {
      begun = position;
      layer = -1;
    }
  }

  /**
   * Whether a row may differ because its token attends to other keys of the same score.
   *
   * @param token the row's token, counted from the first of its batch
   */
  boolean free(
      NodePair pair,
      int position,
      int token,
      int row,
      int width,
      MemorySegment a,
      MemorySegment b) {
    Site site = pair.reference().place().site();
    if (begun != position || site != Site.ATTENTION && site != Site.CONTEXT) {
      return false;
    }
    if (site == Site.CONTEXT) {
      return layer == pair.reference().place().layer() && otherwise.get(token);
    }
    if (layer != pair.reference().place().layer()) {
      layer = pair.reference().place().layer();
      otherwise.clear();
    }
    boolean tie = ties(token, row, width, a, b);
    if (tie) {
      otherwise.set(token);
    }
    return tie;
  }

  /** Whether keys that only one side attends to exist, and all have one score. */
  private boolean ties(int token, int row, int width, MemorySegment a, MemorySegment b) {
    int found = 0;
    float score = 0;
    for (int key = 0; key < Math.min(width, keys); key++) {
      long at = 4L * ((long) row * width + key);
      if ((a.get(FLOAT, at) == 0) != (b.get(FLOAT, at) == 0)) {
        float own = scores[token * keys + key];
        if (found > 0 && own != score) {
          return false;
        }
        score = own;
        found++;
      }
    }
    return found > 0;
  }
}
