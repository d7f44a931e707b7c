package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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
 * @param heads the heads compared, each with all others
 * @param divergence {@code [head][head]} by place in {@code heads}
 * @param correlation mean Pearson correlation of the same rows over the keys that both see, {@code
 *     [head][head]}
 * @param pairRows rows behind both, {@code [head][head]}
 * @param rows fewest rows behind a pair, 0 when no two heads are compared
 */
record HeadDistances(
    List<CollectedHead> heads,
    double[][] divergence,
    double[][] correlation,
    int[][] pairRows,
    int rows) {
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
    List<CollectedHead> heads = collected.heads();
    int n = heads.size();
    var divergence = new double[n][n];
    var correlation = new double[n][n];
    var rows = new int[n][n];
    long pairs = Math.max(1, (long) n * (n - 1) / 2);
    long work = 0;
    for (SampledQuery query : collected.rows()) {
      long cost = pairs * query.position();
      if (query.position() >= 2 && (work == 0 || work + cost <= pairWork)) {
        add(query, heads, divergence, correlation, rows);
        work += cost;
      }
    }
    int[] kept = comparable(rows);
    int k = kept.length;
    var js = new double[k][k];
    var pearson = new double[k][k];
    var behind = new int[k][k];
    int fewest = Integer.MAX_VALUE;
    for (int i = 0; i < k; i++) {
      pearson[i][i] = 1;
      for (int j = 0; j < i; j++) {
        int a = kept[i];
        int b = kept[j];
        behind[i][j] = behind[j][i] = rows[a][b];
        js[i][j] = js[j][i] = divergence[a][b] / rows[a][b];
        pearson[i][j] = pearson[j][i] = correlation[a][b] / rows[a][b];
        fewest = Math.min(fewest, rows[a][b]);
      }
    }
    return new HeadDistances(
        IntStream.of(kept).mapToObj(heads::get).toList(), js, pearson, behind, k < 2 ? 0 : fewest);
  }

  /** Adds a query to the sums of the pairs that it says something of, below the diagonal. */
  private static void add(
      SampledQuery query,
      List<CollectedHead> heads,
      double[][] divergence,
      double[][] correlation,
      int[][] rows) {
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
          divergence[a][b] += one.divergence(two);
          correlation[a][b] += alike;
          rows[a][b]++;
        }
      }
    }
  }

  /** Heads of which all pairs have rows enough; one with most pairs that lack them goes first. */
  private static int[] comparable(int[][] rows) {
    int n = rows.length;
    boolean[] left = new boolean[n];
    Arrays.fill(left, true);
    int[] lacking = new int[n];
    for (int a = 0; a < n; a++) {
      for (int b = 0; b < a; b++) {
        if (rows[a][b] < Chance.FEWEST_COMPARED) {
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
        if (left[a] && rows[Math.max(a, worst)][Math.min(a, worst)] < Chance.FEWEST_COMPARED) {
          lacking[a]--;
        }
      }
    }
    int[] kept = IntStream.range(0, n).filter(a -> left[a]).toArray();
    return kept.length < 2 ? new int[0] : kept;
  }

  /** Those of these heads that are compared, in the order of {@code heads}. */
  List<LabelledHead> compared(List<LabelledHead> labelled) {
    var ids = heads.stream().map(CollectedHead::id).toList();
    return labelled.stream().filter(head -> ids.contains(head.id())).toList();
  }

  /** Heads that showed rows but are not compared. */
  List<HeadId> leftOut(List<CollectedHead> all) {
    var ids = heads.stream().map(CollectedHead::id).toList();
    return all.stream().map(CollectedHead::id).filter(id -> !ids.contains(id)).toList();
  }

  /** 1 − JS / ln 2, in [0, 1]. */
  double similarity(int a, int b) {
    return 1 - divergence[a][b] / LN2;
  }

  /** Similarity of the heads of one layer to each other, {@code [head][head]}. */
  double[][] similarity(int layer) {
    int[] own =
        IntStream.range(0, heads.size()).filter(i -> heads.get(i).id().layer() == layer).toArray();
    double[][] similarity = new double[own.length][own.length];
    for (int a = 0; a < own.length; a++) {
      similarity[a][a] = 1;
      for (int b = 0; b < a; b++) {
        similarity[a][b] = similarity(own[a], own[b]);
        similarity[b][a] = similarity[a][b];
      }
    }
    return similarity;
  }
}
