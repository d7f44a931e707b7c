package org.modeltracer.attention;

import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.ejml.data.FMatrixRMaj;

/**
 * How differently heads attend, pair by pair, over sampled rows.
 *
 * <p>Distance is the Jensen–Shannon divergence of two heads' rows on the same query, in [0, ln 2],
 * averaged over queries; position 0 is taken out and the rest made to sum to 1 (Clark et al. 2019,
 * section 6). A row that rests on position 0 alone is compared with it.
 */
final class HeadDistances {
  private static final double LN2 = Math.log(2);
  private static final double NOTHING = 1e-4;

  final int[] heads;
  final double[][] divergence;
  final double[][] correlation;
  int rows;

  private HeadDistances(int[] heads) {
    this.heads = heads;
    this.divergence = new double[heads.length][heads.length];
    this.correlation = new double[heads.length][heads.length];
  }

  /** Distances between the heads that have all sampled rows, within a bound on weights compared. */
  static HeadDistances of(List<QuerySample.Entry> sample, int[] heads, long pairWork) {
    var distances = new HeadDistances(heads);
    long pairs = (long) heads.length * (heads.length - 1) / 2;
    long work = 0;
    for (QuerySample.Entry entry : sample) {
      long cost = Math.max(1, pairs) * entry.query();
      boolean complete =
          entry.query() >= 2
              && Arrays.stream(heads).allMatch(head -> entry.vectors()[head] != null);
      if (complete && (distances.rows == 0 || work + cost <= pairWork)) {
        distances.add(entry);
        work += cost;
      }
    }
    distances.average();
    return distances;
  }

  private void add(QuerySample.Entry entry) {
    int n = heads.length;
    float[][] full = new float[n][];
    float[][] rest = new float[n][];
    double[] fullH = new double[n];
    double[] restH = new double[n];
    for (int h = 0; h < n; h++) {
      float[] row = Objects.requireNonNull(entry.vectors()[heads[h]]);
      full[h] = normalized(row, 0);
      rest[h] = normalized(row, 1);
      fullH[h] = Rollout.entropy(full[h]);
      restH[h] = Rollout.entropy(rest[h]);
    }
    for (int a = 0; a < n; a++) {
      for (int b = 0; b < a; b++) {
        boolean both = rest[a].length > 0 && rest[b].length > 0;
        float[] p = both ? rest[a] : full[a];
        float[] q = both ? rest[b] : full[b];
        double own = both ? (restH[a] + restH[b]) / 2 : (fullH[a] + fullH[b]) / 2;
        divergence[a][b] += Math.clamp(middleEntropy(p, q) - own, 0, LN2);
        correlation[a][b] += pearson(p, q);
      }
    }
    rows++;
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

  private static double middleEntropy(float[] p, float[] q) {
    double h = 0;
    for (int i = 0; i < p.length; i++) {
      float m = (p[i] + q[i]) / 2;
      if (m > 0) {
        h -= m * FastLog.log(m);
      }
    }
    return h;
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

  private void average() {
    for (int a = 0; a < heads.length; a++) {
      correlation[a][a] = 1;
      for (int b = 0; b < a && rows > 0; b++) {
        divergence[a][b] /= rows;
        correlation[a][b] /= rows;
        divergence[b][a] = divergence[a][b];
        correlation[b][a] = correlation[a][b];
      }
    }
  }

  /** 1 − JS / ln 2, in [0, 1]. */
  double similarity(int a, int b) {
    return 1 - divergence[a][b] / LN2;
  }

  /** What the heads of one layer are together. */
  AttentionLayer.Patterns patterns(
      AttentionAnalyzer analyzer, int layer, Collection<AttentionLayer.Head> members) {
    int[] own =
        IntStream.range(0, heads.length)
            .filter(i -> analyzer.id(heads[i]).layer() == layer)
            .toArray();
    double distance = 0;
    double concentration = 0;
    for (int i : own) {
      distance += analyzer.stats(heads[i]).meanOrZero(Quantity.DISTANCE);
      concentration += analyzer.stats(heads[i]).meanOrZero(Quantity.CONCENTRATION);
    }
    int n = members.size();
    boolean compared = rows > 0 && own.length > 1;
    double alike = 0;
    var kernel = new FMatrixRMaj(own.length, own.length);
    for (int a = 0; a < own.length; a++) {
      kernel.set(a, a, 1);
      for (int b = 0; b < a; b++) {
        double similarity = similarity(own[a], own[b]);
        alike += similarity;
        kernel.set(a, b, (float) similarity);
        kernel.set(b, a, (float) similarity);
      }
    }
    return new AttentionLayer.Patterns(
        distance / n,
        concentration / n,
        compared ? (Double) (2 * alike / ((double) own.length * (own.length - 1))) : null,
        compared ? (Double) EffectiveRank.diversity(kernel) : null,
        rows);
  }
}
