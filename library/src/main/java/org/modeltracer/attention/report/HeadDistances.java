package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.Entropy;
import org.modeltracer.attention.SampledQuery;
import org.modeltracer.model.HeadId;

/**
 * How differently heads attend, pair by pair, over sampled rows.
 *
 * <p>Distance is the Jensen–Shannon divergence of two heads' rows on the same query, in [0, ln 2],
 * averaged over queries; position 0 is taken out and the rest made to sum to 1 (Clark et al. 2019,
 * section 6). A row with less than 1e-4 of its mass elsewhere rests on position 0 and says nothing
 * of the head: it is not compared. Nor is a head that has fewer than 16 rows in common with others.
 *
 * <p>Where the heads are more than memory or the bound on work allows to compare, some are, evenly
 * spread over all.
 *
 * @param heads the heads compared, each with all others
 * @param divergence by place in {@code heads}
 * @param correlation mean Pearson correlation of the same rows over the keys that both see
 * @param pairRows rows behind both
 * @param rows fewest rows behind a pair, 0 when no two heads are compared
 * @param candidates the heads of which rows were looked at
 */
record HeadDistances(
    List<CollectedHead> heads,
    PairValues divergence,
    PairValues correlation,
    PairValues pairRows,
    int rows,
    List<CollectedHead> candidates) {
  /** Heads, at most, that are compared: four numbers for each pair of them are 128 MiB. */
  static final int MOST_HEADS = 4096;

  private static final double LN2 = Math.log(2);
  private static final double NOTHING = 1e-4;

  /** A head's row without position 0, summing to 1, and its entropy. */
  private record Rest(float[] weights, boolean[] seen, double entropy) {
    /** Null for a row that rests on position 0. */
    static @Nullable Rest of(float[] row) {
      double sum = 0;
      for (int i = 1; i < row.length; i++) {
        if (row[i] > 0) sum += row[i];
      }
      if (sum < NOTHING) {
        return null;
      }
      float[] weights = new float[row.length - 1];
      boolean[] seen = new boolean[row.length - 1];
      for (int i = 0; i < weights.length; i++) {
        seen[i] = !Float.isNaN(row[i + 1]);
        weights[i] = seen[i] ? (float) (row[i + 1] / sum) : 0;
      }
      return new Rest(weights, seen, Entropy.of(weights));
    }

    double divergence(Rest other) {
      double between = Entropy.ofMiddle(weights, other.weights);
      return Math.clamp(between - (entropy + other.entropy) / 2, 0, LN2);
    }

    /**
     * Pearson correlation over the keys that both see; 0 when one is flat, NaN for fewer than 2.
     */
    double correlation(Rest other) {
      int n = 0;
      double x = 0;
      double y = 0;
      for (int i = 0; i < weights.length; i++) {
        if (seen[i] && other.seen[i]) {
          n++;
          x += weights[i];
          y += other.weights[i];
        }
      }
      double xx = 0;
      double yy = 0;
      double xy = 0;
      for (int i = 0; i < weights.length; i++) {
        if (seen[i] && other.seen[i]) {
          double a = weights[i] - x / n;
          double b = other.weights[i] - y / n;
          xx += a * a;
          yy += b * b;
          xy += a * b;
        }
      }
      double scale = Math.sqrt(xx * yy);
      return n < 2 ? Double.NaN : scale < 1e-12 ? 0 : xy / scale;
    }
  }

  /** Distances over the sampled rows that two heads have, within a bound on weights compared. */
  static HeadDistances of(CollectedAttention collected, long pairWork) {
    List<SampledQuery> queries =
        collected.rows().stream().filter(query -> query.position() >= 2).toList();
    List<CollectedHead> heads = candidates(collected.heads(), queries, pairWork);
    int n = heads.size();
    var divergence = new PairValues(n);
    var correlation = new PairValues(n);
    var rows = new PairValues(n);
    long pairs = Math.max(1, PairValues.pairs(n));
    long work = 0;
    for (SampledQuery query : queries) {
      long cost = pairs * query.position();
      if (work == 0 || work + cost <= pairWork) {
        add(query, heads, divergence, correlation, rows);
        work += cost;
      }
    }
    int[] kept = comparable(rows);
    var behind = rows.only(kept);
    var js = divergence.only(kept);
    var pearson = correlation.only(kept);
    double fewest = Double.POSITIVE_INFINITY;
    for (int a = 0; a < kept.length; a++) {
      for (int b = 0; b < a; b++) {
        double shared = behind.get(a, b);
        js.set(a, b, js.get(a, b) / shared);
        pearson.set(a, b, pearson.get(a, b) / shared);
        fewest = Math.min(fewest, shared);
      }
    }
    return new HeadDistances(
        IntStream.of(kept).mapToObj(heads::get).toList(),
        js,
        pearson,
        behind,
        kept.length < 2 ? 0 : (int) fewest,
        heads);
  }

  /**
   * All heads where the bound on work lets enough rows of them be compared; else as many as it lets
   * be compared on twice as many rows, evenly spread.
   */
  private static List<CollectedHead> candidates(
      List<CollectedHead> all, List<SampledQuery> queries, long pairWork) {
    int n = all.size();
    int most = MOST_HEADS;
    if (PairValues.pairs(n) > pairWork / Math.max(1, weights(queries, Chance.FEWEST_COMPARED))) {
      long each = Math.max(1, weights(queries, 2 * Chance.FEWEST_COMPARED));
      most = Math.clamp((long) Math.sqrt(2.0 * pairWork / each), 2, MOST_HEADS);
    }
    if (n <= most) {
      return all;
    }
    int chosen = most;
    return IntStream.range(0, chosen)
        .mapToObj(i -> all.get((int) ((long) i * n / chosen)))
        .toList();
  }

  /** Weights of a head that a comparison on the first so many queries looks at. */
  private static long weights(List<SampledQuery> queries, int most) {
    return queries.stream().limit(most).mapToLong(SampledQuery::position).sum();
  }

  /** Adds a query to the sums of the pairs that it says something of. */
  private static void add(
      SampledQuery query,
      List<CollectedHead> heads,
      PairValues divergence,
      PairValues correlation,
      PairValues rows) {
    var rests = new ArrayList<@Nullable Rest>();
    for (CollectedHead head : heads) {
      rests.add(query.has(head) ? Rest.of(query.of(head)) : null);
    }
    for (int a = 0; a < rests.size(); a++) {
      Rest one = rests.get(a);
      for (int b = 0; b < a && one != null; b++) {
        Rest two = rests.get(b);
        double alike = two == null ? Double.NaN : one.correlation(two);
        if (two != null && alike == alike) {
          divergence.add(a, b, one.divergence(two));
          correlation.add(a, b, alike);
          rows.add(a, b, 1);
        }
      }
    }
  }

  /** Heads of which all pairs have rows enough; one with most pairs that lack them goes first. */
  private static int[] comparable(PairValues rows) {
    int n = rows.items();
    boolean[] left = new boolean[n];
    Arrays.fill(left, true);
    int[] lacking = new int[n];
    for (int a = 0; a < n; a++) {
      for (int b = 0; b < a; b++) {
        if (rows.get(a, b) < Chance.FEWEST_COMPARED) {
          lacking[a]++;
          lacking[b]++;
        }
      }
    }
    while (true) {
      int worst = 0;
      for (int a = 1; a < n; a++) {
        if (lacking[a] >= lacking[worst]) worst = a;
      }
      if (n == 0 || lacking[worst] == 0) {
        break;
      }
      left[worst] = false;
      lacking[worst] = 0;
      for (int a = 0; a < n; a++) {
        if (left[a] && rows.get(a, worst) < Chance.FEWEST_COMPARED) {
          lacking[a]--;
        }
      }
    }
    int[] kept = IntStream.range(0, n).filter(a -> left[a]).toArray();
    return kept.length < 2 ? new int[0] : kept;
  }

  /** Those of these heads that are compared, in the order of {@code heads}. */
  List<LabelledHead> compared(List<LabelledHead> labelled) {
    Set<HeadId> ids = ids(heads);
    return labelled.stream().filter(head -> ids.contains(head.id())).toList();
  }

  /** Heads whose rows were looked at, but say too little to be compared. */
  List<HeadId> leftOut() {
    Set<HeadId> ids = ids(heads);
    return candidates.stream().map(CollectedHead::id).filter(id -> !ids.contains(id)).toList();
  }

  private static Set<HeadId> ids(List<CollectedHead> heads) {
    return heads.stream().map(CollectedHead::id).collect(Collectors.toSet());
  }

  /** 1 − JS / ln 2 of two different heads, in [0, 1]. */
  double similarity(int a, int b) {
    return 1 - divergence.get(a, b) / LN2;
  }

  /** Places of the heads of a layer that are compared. */
  int[] ofLayer(int layer) {
    return IntStream.range(0, heads.size())
        .filter(i -> heads.get(i).id().layer() == layer)
        .toArray();
  }
}
