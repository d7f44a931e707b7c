package org.modeltracer.attention.report;

import java.util.ArrayList;
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
  /** Products of the entries of two Gram matrices, some seconds of work. */
  private static final long WORK = 1L << 31;

  /** Entries of a layer's Gram matrices, 64 MiB. */
  private static final long ENTRIES = 1L << 24;

  private final int[] layer;
  private final List<PairValues> layers;
  private final int[] placeInLayer;
  private final int positions;

  private Cka(int[] layer, int[] placeInLayer, List<PairValues> layers, int positions) {
    this.layer = layer;
    this.placeInLayer = placeInLayer;
    this.layers = layers;
    this.positions = positions;
  }

  /** Likeness of heads by place in the list, for each layer. */
  static Cka withinLayers(List<CollectedHead> heads, List<SampledQuery> outputs) {
    int n = heads.size();
    int[] layer = new int[n];
    int[] place = new int[n];
    var groups = new ArrayList<List<CollectedHead>>();
    for (int from = 0; from < n; ) {
      int to = from;
      for (; to < n && heads.get(to).id().layer() == heads.get(from).id().layer(); to++) {
        layer[to] = groups.size();
        place[to] = to - from;
      }
      groups.add(heads.subList(from, to));
      from = to;
    }
    long pairs = groups.stream().mapToLong(group -> PairValues.pairs(group.size())).sum();
    int most = 0;
    var layers = new ArrayList<PairValues>();
    for (List<CollectedHead> group : groups) {
      List<SampledQuery> shared =
          outputs.stream()
              .filter(query -> query.position() > 0 && query.has(group))
              .limit(mostPositions(pairs, group.size()))
              .toList();
      most = Math.max(most, shared.size());
      layers.add(
          shared.size() < Chance.FEWEST_COMPARED ? new PairValues(0) : between(group, shared));
    }
    return new Cka(layer, place, layers, most);
  }

  /** Positions that the bounds on work and memory allow. */
  private static long mostPositions(long pairs, int heads) {
    double allowed = Math.min(2.0 * WORK / Math.max(1, pairs), 2.0 * ENTRIES / heads);
    return (long) Math.sqrt(allowed);
  }

  /**
   * Likeness of two heads in [−1, 1]: near 1 when one output is a rotation and scaling of the
   * other; NaN across layers, and where fewer than 16 positions show all heads of a layer.
   */
  double between(int a, int b) {
    PairValues own = layers.get(layer[a]);
    return a == b || layer[a] != layer[b] || own.items() == 0
        ? Double.NaN
        : own.get(placeInLayer[a], placeInLayer[b]);
  }

  /** Positions behind the values of the layer that has most. */
  int positions() {
    return positions;
  }

  private static PairValues between(List<CollectedHead> heads, List<SampledQuery> shared) {
    int n = heads.size();
    var cka = new PairValues(n);
    List<Gram> grams =
        heads.stream()
            .map(head -> Gram.of(shared.stream().map(query -> query.of(head)).toList()))
            .toList();
    double[] own = grams.stream().mapToDouble(gram -> gram.hsic(gram)).toArray();
    for (int a = 0; a < n; a++) {
      for (int b = 0; b < a; b++) {
        cka.set(a, b, grams.get(a).hsic(grams.get(b)) / Math.sqrt(own[a] * own[b]));
      }
    }
    return cka;
  }

  /**
   * Inner products of vectors with each other, which is all that is asked of them.
   *
   * @param below those below the diagonal, row by row; the diagonal counts as zero
   * @param rows sums of each row of the whole, symmetric matrix
   * @param sum of all of it
   */
  private record Gram(float[] below, double[] rows, double sum) {
    static Gram of(List<float[]> vectors) {
      int n = vectors.size();
      float[] below = new float[n * (n - 1) / 2];
      double[] rows = new double[n];
      for (int i = 0, at = 0; i < n; i++) {
        for (int j = 0; j < i; j++, at++) {
          double dot = dot(vectors.get(i), vectors.get(j));
          below[at] = (float) dot;
          rows[i] += dot;
          rows[j] += dot;
        }
      }
      return new Gram(below, rows, Arrays.stream(rows).sum());
    }

    private static double dot(float[] a, float[] b) {
      double dot = 0;
      for (int d = 0; d < a.length; d++) {
        dot += (double) a[d] * b[d];
      }
      return dot;
    }

    /** Unbiased up to a factor that cancels. */
    double hsic(Gram other) {
      double n = rows.length;
      double trace = 0;
      for (int i = 0; i < below.length; i++) {
        trace += (double) below[i] * other.below[i];
      }
      double cross = 0;
      for (int i = 0; i < rows.length; i++) {
        cross += rows[i] * other.rows[i];
      }
      return 2 * trace + sum * other.sum / ((n - 1) * (n - 2)) - 2 * cross / (n - 2);
    }
  }
}
