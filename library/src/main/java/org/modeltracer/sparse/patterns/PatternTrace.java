package org.modeltracer.sparse.patterns;

import java.util.Arrays;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.HeadId;
import org.modeltracer.trace.TraceListener;

/**
 * Finds the patterns of every head's attention, as its rows stream.
 *
 * <p>Rows of sequence 0 that see at least 32 keys count: fewer need no sparsity, and near and far
 * are the same there. Weights count as shares of what keys have: what a learned sink takes belongs
 * to none. Memory grows with the length of the texts, never with their number: about 56 bytes a
 * head and position, and no more than 256 MiB in all; what lies farther is not told apart.
 */
public final class PatternTrace implements TraceListener {
  /** Keys that a row must see. */
  public static final int FEWEST_KEYS = 32;

  static final double[] MASSES = {0.90, 0.95, 0.99};

  /** Which of the masses stands for all. */
  public static final int USUAL_MASS = 1;

  private static final long MOST_BYTES = 256L << 20;
  private static final int BYTES = 56;

  /** As many as models of seven billion parameters have. */
  private static final int USUAL_HEADS = 1024;

  private final KeyCosts costs;
  private final int distances;
  private final NavigableMap<HeadId, TracedHead> heads = new TreeMap<>();
  private final NavigableMap<HeadId, SharedKeys> groups = new TreeMap<>();
  private KeyTokens tokens = KeyTokens.unknown();
  private boolean readable;
  private long text;
  private float[] weights = {};
  private float[] sorted = {};

  /** A trace without rows. */
  public PatternTrace(KeyCosts costs) {
    this.costs = costs;
    int known = costs.layers().values().stream().mapToInt(KeyCosts.Layer::heads).sum();
    int heads = known == 0 ? USUAL_HEADS : known;
    distances = Math.clamp(MOST_BYTES / BYTES / heads, 64, 1 << 20);
  }

  /** A text is about to run. */
  public void begin(KeyTokens ofText) {
    end();
    tokens = ofText;
    readable |= ofText.size() > 0;
    text++;
  }

  private void end() {
    for (TracedHead head : heads.values()) {
      head.kinds().end(tokens, text);
      head.sums().blocks.begin();
    }
    groups.values().forEach(SharedKeys::finish);
    tokens = KeyTokens.unknown();
  }

  @Override
  public void onAttentionRow(AttentionRow row) {
    int n = row.size();
    double sum = row.sums().sum();
    if (row.sequence() != 0 || n < FEWEST_KEYS || !(sum > 0) || Double.isInfinite(sum)) {
      return;
    }
    if (weights.length < n) {
      weights = new float[2 * n];
      sorted = new float[2 * n];
    }
    for (int i = 0; i < n; i++) {
      weights[i] = (float) (row.weight(i) / sum);
    }
    TracedHead head =
        heads.computeIfAbsent(
            new HeadId(row.layer(), row.head()),
            id -> new TracedHead(new HeadSums(distances, MASSES.length), new KindSums(distances)));
    head.sums().add(row, weights);
    kinds(head.kinds(), row);
    needed(head.sums(), row);
  }

  private void kinds(KindSums kinds, AttentionRow row) {
    int n = row.size();
    int from = row.lower(HeadSums.FIRST);
    double rest = 0;
    for (int i = from; i < n; i++) {
      rest += weights[i];
    }
    double even = rest / Math.max(1, n - from);
    for (int i = from; i < n; i++) {
      kinds.add(row.key(i), weights[i], even);
    }
  }

  /** Counts the fewest keys for each mass, of the head and of those that share keys with it. */
  private void needed(HeadSums sums, AttentionRow row) {
    int n = row.size();
    System.arraycopy(weights, 0, sorted, 0, n);
    Arrays.sort(sorted, 0, n);
    SharedKeys group =
        groups.computeIfAbsent(
            costs.group(row.layer(), row.head()), id -> new SharedKeys(MASSES.length));
    group.begin(row.query(), n);
    double mass = 0;
    int most = 0;
    for (int m = 0; m < MASSES.length; m++) {
      while (most < n && mass < MASSES[m]) {
        mass += sorted[n - ++most];
      }
      sums.needed[m] += most;
      float least = sorted[n - most];
      // Of equal weights, as many of the latest keys as make up the number.
      int left = most;
      for (int i = 0; i < n; i++) {
        if (weights[i] > least) {
          group.want(m, i);
          left--;
        }
      }
      for (int i = n - 1; left > 0; i--) {
        if (weights[i] == least) {
          group.want(m, i);
          left--;
        }
      }
    }
  }

  /**
   * What has been seen so far; the latest text has ended.
   *
   * @param clusters how many, or 0 for as many as the silhouette finds
   */
  public PatternReport report(int clusters) {
    end();
    return new PatternSummary(costs, heads, groups, readable).report(clusters);
  }
}
