package org.modeltracer.attention.report;

import java.util.List;
import java.util.stream.IntStream;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.Entropy;
import org.modeltracer.attention.SampledQuery;

/**
 * How differently heads attend, pair by pair, over sampled rows.
 *
 * <p>Distance is the Jensen–Shannon divergence of two heads' rows on the same query, in [0, ln 2],
 * averaged over queries; position 0 is taken out and the rest made to sum to 1 (Clark et al. 2019,
 * section 6). A row that rests on position 0 alone is compared with it.
 *
 * @param heads the heads compared
 * @param divergence {@code [head][head]} by place in {@code heads}
 * @param correlation mean Pearson correlation of the same rows, {@code [head][head]}
 * @param rows sampled rows behind both
 */
record HeadDistances(
    List<CollectedHead> heads, double[][] divergence, double[][] correlation, int rows) {
  private static final double LN2 = Math.log(2);
  private static final double NOTHING = 1e-4;

  /** Distances over the sampled rows that all heads have, within a bound on weights compared. */
  static HeadDistances of(CollectedAttention collected, long pairWork) {
    List<CollectedHead> heads = collected.heads();
    int n = heads.size();
    var divergence = new double[n][n];
    var correlation = new double[n][n];
    long pairs = (long) n * (n - 1) / 2;
    long work = 0;
    int rows = 0;
    for (SampledQuery query : collected.rows()) {
      long cost = Math.max(1, pairs) * query.position();
      if (query.position() >= 2 && query.has(heads) && (rows == 0 || work + cost <= pairWork)) {
        add(query, heads, divergence, correlation);
        work += cost;
        rows++;
      }
    }
    average(divergence, rows);
    average(correlation, rows);
    for (int a = 0; a < n; a++) {
      correlation[a][a] = 1;
    }
    return new HeadDistances(heads, divergence, correlation, rows);
  }

  private static void add(
      SampledQuery query,
      List<CollectedHead> heads,
      double[][] divergence,
      double[][] correlation) {
    int n = heads.size();
    float[][] full = new float[n][];
    float[][] rest = new float[n][];
    double[] fullH = new double[n];
    double[] restH = new double[n];
    for (int h = 0; h < n; h++) {
      float[] row = query.of(heads.get(h));
      full[h] = normalized(row, 0);
      rest[h] = normalized(row, 1);
      fullH[h] = Entropy.of(full[h]);
      restH[h] = Entropy.of(rest[h]);
    }
    for (int a = 0; a < n; a++) {
      for (int b = 0; b < a; b++) {
        boolean both = rest[a].length > 0 && rest[b].length > 0;
        float[] p = both ? rest[a] : full[a];
        float[] q = both ? rest[b] : full[b];
        double own = both ? (restH[a] + restH[b]) / 2 : (fullH[a] + fullH[b]) / 2;
        divergence[a][b] += Math.clamp(Entropy.ofMiddle(p, q) - own, 0, LN2);
        correlation[a][b] += pearson(p, q);
      }
    }
  }

  /** The row without its first {@code skip} keys, summing to 1; empty when nothing is left. */
  private static float[] normalized(float[] row, int skip) {
    double sum = 0;
    for (int i = skip; i < row.length; i++) {
      sum += row[i];
    }
    if (sum < NOTHING) {
      return new float[0];
    }
    float[] out = new float[row.length - skip];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) (row[i + skip] / sum);
    }
    return out;
  }

  /** Pearson correlation of two rows that sum to 1; 0 when one is flat. */
  private static double pearson(float[] p, float[] q) {
    double mean = 1.0 / p.length;
    double pq = 0;
    double pp = 0;
    double qq = 0;
    for (int i = 0; i < p.length; i++) {
      double x = p[i] - mean;
      double y = q[i] - mean;
      pq += x * y;
      pp += x * x;
      qq += y * y;
    }
    double scale = Math.sqrt(pp * qq);
    return scale < 1e-12 ? 0 : pq / scale;
  }

  /** Turns sums below the diagonal into means on both sides of it. */
  private static void average(double[][] sums, int rows) {
    for (int a = 0; a < sums.length; a++) {
      for (int b = 0; b < a && rows > 0; b++) {
        sums[a][b] /= rows;
        sums[b][a] = sums[a][b];
      }
    }
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
