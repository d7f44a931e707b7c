package org.modeltracer.attention.report;

import java.util.Arrays;

/**
 * Average-linkage hierarchical clustering (UPGMA, Sokal and Michener 1958).
 *
 * <p>Own code because the libraries at hand bring none under a licence and of a size that fit: the
 * closest pair is merged, distances follow Lance and Williams, O(n²) memory, O(n³) time at worst
 * but O(n²) in practice with remembered nearest neighbours.
 */
final class AverageLinkage {
  private final double[][] distance;
  private final int[] size;
  private final int[] nearest;
  private final int[] cluster;
  private int left;

  private AverageLinkage(double[][] distances) {
    int n = distances.length;
    distance = new double[n][];
    for (int i = 0; i < n; i++) {
      distance[i] = distances[i].clone();
    }
    size = new int[n];
    Arrays.fill(size, 1);
    nearest = new int[n];
    cluster = new int[n];
    Arrays.setAll(cluster, i -> i);
    left = n;
    for (int i = 0; i < n; i++) {
      findNearest(i);
    }
  }

  /**
   * Cluster of every item, numbered from 0 by first member, for each number of clusters: {@code [k
   * - 1][item]}.
   */
  static int[][] cuts(double[][] distances) {
    var tree = new AverageLinkage(distances);
    int[][] cuts = new int[distances.length][];
    while (tree.left > 0) {
      cuts[tree.left - 1] = numbered(tree.cluster);
      if (tree.left == 1) {
        break;
      }
      tree.mergeClosest();
    }
    return cuts;
  }

  private void findNearest(int i) {
    nearest[i] = -1;
    for (int j = 0; j < size.length; j++) {
      if (j != i && size[j] > 0 && (nearest[i] < 0 || distance[i][j] < distance[i][nearest[i]])) {
        nearest[i] = j;
      }
    }
  }

  private void mergeClosest() {
    int a = -1;
    for (int i = 0; i < size.length; i++) {
      if (size[i] > 0 && (a < 0 || distance[i][nearest[i]] < distance[a][nearest[a]])) {
        a = i;
      }
    }
    int b = nearest[a];
    int keep = Math.min(a, b);
    int drop = Math.max(a, b);
    for (int j = 0; j < size.length; j++) {
      if (size[j] > 0 && j != keep && j != drop) {
        double d =
            (size[keep] * distance[keep][j] + size[drop] * distance[drop][j])
                / (size[keep] + size[drop]);
        distance[keep][j] = d;
        distance[j][keep] = d;
      }
    }
    size[keep] += size[drop];
    size[drop] = 0;
    left--;
    for (int i = 0; i < cluster.length; i++) {
      if (cluster[i] == drop) cluster[i] = keep;
    }
    for (int i = 0; i < size.length; i++) {
      if (size[i] == 0) continue;
      if (i == keep || nearest[i] == keep || nearest[i] == drop) findNearest(i);
    }
  }

  private static int[] numbered(int[] clusters) {
    int[] number = new int[clusters.length];
    Arrays.fill(number, -1);
    int[] out = new int[clusters.length];
    int next = 0;
    for (int i = 0; i < clusters.length; i++) {
      if (number[clusters[i]] < 0) {
        number[clusters[i]] = next++;
      }
      out[i] = number[clusters[i]];
    }
    return out;
  }

  /**
   * Silhouette of every item in [−1, 1], 0 for an item alone in its cluster. Rousseeuw 1987.
   *
   * @param clusters cluster of every item, numbered from 0
   */
  static double[] silhouettes(double[][] distances, int[] clusters) {
    int n = clusters.length;
    int k = Arrays.stream(clusters).max().orElse(-1) + 1;
    double[] values = new double[n];
    for (int i = 0; i < n; i++) {
      double[] sum = new double[k];
      int[] count = new int[k];
      for (int j = 0; j < n; j++) {
        if (j != i) {
          sum[clusters[j]] += distances[i][j];
          count[clusters[j]]++;
        }
      }
      int own = clusters[i];
      double other = Double.POSITIVE_INFINITY;
      for (int c = 0; c < k; c++) {
        if (c != own && count[c] > 0) {
          other = Math.min(other, sum[c] / count[c]);
        }
      }
      if (count[own] > 0 && other < Double.POSITIVE_INFINITY) {
        double inside = sum[own] / count[own];
        double scale = Math.max(inside, other);
        values[i] = scale == 0 ? 0 : (other - inside) / scale;
      }
    }
    return values;
  }
}
