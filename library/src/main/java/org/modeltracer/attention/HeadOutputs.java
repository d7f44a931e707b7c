package org.modeltracer.attention;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What heads write, as vectors handed in by whoever sees them: mean norms and a sample for CKA.
 *
 * <p>A vector may be a head's mixed values or what it adds to the residual stream, as long as it is
 * the same for all heads.
 */
final class HeadOutputs {
  private final QuerySample sample;
  private final double[] normSum;
  private final double[] normSquares;
  private final long[] count;

  HeadOutputs(int heads, AttentionOptions options) {
    sample = new QuerySample(heads, options.outputSamples(), query -> 1, options.seed());
    normSum = new double[heads];
    normSquares = new double[heads];
    count = new long[heads];
  }

  void add(long prompt, int head, int position, float[] vector, int offset, int length) {
    double squares = 0;
    for (int i = offset; i < offset + length; i++) {
      squares += (double) vector[i] * vector[i];
    }
    if (squares - squares != 0) {
      return;
    }
    normSum[head] += Math.sqrt(squares);
    normSquares[head] += squares;
    count[head]++;
    var slots = sample.slots(prompt, position);
    if (slots != null) {
      slots[head] = Arrays.copyOfRange(vector, offset, offset + length);
    }
  }

  void merge(HeadOutputs other) {
    sample.merge(other.sample);
    for (int i = 0; i < count.length; i++) {
      normSum[i] += other.normSum[i];
      normSquares[i] += other.normSquares[i];
      count[i] += other.count[i];
    }
  }

  /** Whether any head has shown a vector. */
  boolean any() {
    return Arrays.stream(count).anyMatch(n -> n > 0);
  }

  /** Number of vectors a head has shown. */
  long count(int head) {
    return count[head];
  }

  /** Mean norm of a head's output, NaN when it has shown none. */
  double norm(int head) {
    return normSum[head] / count[head];
  }

  /** Norms of a head's output, or null when it has shown none. */
  @Nullable Measure measure(int head) {
    if (count[head] == 0) {
      return null;
    }
    double mean = norm(head);
    double variance = Math.max(0, normSquares[head] / count[head] - mean * mean);
    return new Measure(mean, Math.sqrt(variance), count[head]);
  }

  /**
   * Debiased linear CKA between the given heads, {@code [head][head]} in [−1, 1], near 1 when one
   * output is a rotation and scaling of the other; NaN when fewer than 4 positions show them all.
   *
   * <p>CKA = HSIC(K, L) / √(HSIC(K, K) HSIC(L, L)), Kornblith et al. 2019, with the unbiased HSIC
   * of Song et al. 2012, equation 5.
   */
  double[][] cka(int[] heads) {
    List<QuerySample.Entry> shared =
        sample.entries().stream()
            .filter(entry -> Arrays.stream(heads).allMatch(h -> entry.vectors()[h] != null))
            .toList();
    double[][] cka = new double[heads.length][heads.length];
    double[][][] grams = new double[heads.length][][];
    double[] own = new double[heads.length];
    for (int a = 0; a < heads.length; a++) {
      int head = heads[a];
      grams[a] = gram(shared.stream().map(entry -> entry.vectors()[head]).toList());
      own[a] = shared.size() < 4 ? Double.NaN : hsic(grams[a], grams[a]);
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
