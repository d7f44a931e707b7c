package org.modeltracer.attention.report;

import java.util.Arrays;
import java.util.List;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.attention.SampledQuery;

/**
 * Debiased linear CKA between what heads of one layer write, beyond position 0.
 *
 * <p>CKA = HSIC(K, L) / √(HSIC(K, K) HSIC(L, L)), Kornblith et al. 2019, with the unbiased HSIC of
 * Song et al. 2012, equation 5.
 */
final class Cka {
  private final double[][] values;
  private final int positions;

  private Cka(double[][] values, int positions) {
    this.values = values;
    this.positions = positions;
  }

  /** Likeness of heads by place in the list, for each layer. */
  static Cka withinLayers(List<CollectedHead> heads, List<SampledQuery> outputs) {
    int n = heads.size();
    double[][] all = new double[n][n];
    for (double[] row : all) {
      Arrays.fill(row, Double.NaN);
    }
    int most = 0;
    for (int from = 0; from < n; ) {
      int to = from;
      while (to < n && heads.get(to).id().layer() == heads.get(from).id().layer()) to++;
      List<CollectedHead> layer = heads.subList(from, to);
      List<SampledQuery> shared =
          outputs.stream().filter(query -> query.position() > 0 && query.has(layer)).toList();
      most = Math.max(most, shared.size());
      double[][] own = between(layer, shared);
      for (int a = from; a < to; a++) {
        System.arraycopy(own[a - from], 0, all[a], from, to - from);
      }
      from = to;
    }
    return new Cka(all, most);
  }

  /**
   * Likeness of two heads in [−1, 1]: near 1 when one output is a rotation and scaling of the
   * other; NaN across layers, and where fewer than 16 positions show all heads of a layer.
   */
  double between(int a, int b) {
    return values[a][b];
  }

  /** Positions behind the values of the layer that has most. */
  int positions() {
    return positions;
  }

  private static double[][] between(List<CollectedHead> heads, List<SampledQuery> shared) {
    int n = heads.size();
    double[][] cka = new double[n][n];
    double[][][] grams = new double[n][][];
    double[] own = new double[n];
    for (int a = 0; a < n; a++) {
      CollectedHead head = heads.get(a);
      grams[a] = gram(shared.stream().map(query -> query.of(head)).toList());
      own[a] = shared.size() < Chance.FEWEST_COMPARED ? Double.NaN : hsic(grams[a], grams[a]);
      for (int b = 0; b <= a; b++) {
        double value = hsic(grams[a], grams[b]) / Math.sqrt(own[a] * own[b]);
        cka[a][b] = value;
        cka[b][a] = value;
      }
    }
    return cka;
  }

  private static double[][] gram(List<float[]> rows) {
    int n = rows.size();
    double[][] k = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < i; j++) {
        double dot = 0;
        float[] a = rows.get(i);
        float[] b = rows.get(j);
        for (int d = 0; d < a.length; d++) {
          dot += (double) a[d] * b[d];
        }
        k[i][j] = dot;
        k[j][i] = dot;
      }
    }
    return k;
  }

  /** Unbiased up to a factor that cancels; the diagonals are zero. */
  private static double hsic(double[][] k, double[][] l) {
    double n = k.length;
    double trace = 0;
    double sumK = 0;
    double sumL = 0;
    double cross = 0;
    for (int i = 0; i < k.length; i++) {
      double rowK = 0;
      double rowL = 0;
      for (int j = 0; j < k.length; j++) {
        trace += k[i][j] * l[i][j];
        rowK += k[i][j];
        rowL += l[i][j];
      }
      sumK += rowK;
      sumL += rowL;
      cross += rowK * rowL;
    }
    return trace + sumK * sumL / ((n - 1) * (n - 2)) - 2 * cross / (n - 2);
  }
}
