package org.modeltracer.attention.report;

import java.util.Arrays;

/**
 * Items in clusters by average linkage.
 *
 * @param clusters cluster of every item, numbered from 0 by first member
 * @param silhouettes of every item in [−1, 1], 0 for an item alone. Rousseeuw 1987
 */
public record Partition(int[] clusters, double[] silhouettes) {
  /** Mean silhouette below which a split shows no structure. Kaufman and Rousseeuw 1990. */
  public static final double STRUCTURE = 0.25;

  /**
   * As many clusters, from 2 to {@code most} but fewer than there are items, as have the largest
   * mean silhouette; one of all where no split has one above 0.
   */
  public static Partition bySilhouette(PairValues distances, int most) {
    int n = distances.items();
    int[][] cuts = AverageLinkage.cuts(distances, most);
    var best = new Partition(n == 0 ? new int[0] : cuts[0], new double[n]);
    for (int k = 2; k <= Math.min(most, n - 1); k++) {
      Partition cut = of(distances, cuts[k - 1]);
      if (cut.mean() > best.mean()) {
        best = cut;
      }
    }
    return best;
  }

  /** So many clusters, or as many as there are items where they are fewer. */
  public static Partition into(PairValues distances, int k) {
    int[][] cuts = AverageLinkage.cuts(distances, k);
    return cuts.length == 0
        ? new Partition(new int[0], new double[0])
        : of(distances, cuts[cuts.length - 1]);
  }

  private static Partition of(PairValues distances, int[] clusters) {
    return new Partition(clusters, AverageLinkage.silhouettes(distances, clusters));
  }

  /** Number of clusters. */
  public int count() {
    return Arrays.stream(clusters).max().orElse(-1) + 1;
  }

  /** Mean silhouette of all items, 0 of none. */
  public double mean() {
    return Arrays.stream(silhouettes).average().orElse(0);
  }
}
