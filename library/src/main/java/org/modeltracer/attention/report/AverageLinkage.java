package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Average-linkage hierarchical clustering (UPGMA, Sokal and Michener 1958).
 *
 * <p>Own code because the libraries at hand bring none under a licence and of a size that fit.
 * Chains of nearest neighbours end in pairs that the closest-pair rule would merge too (Murtagh
 * 1983), distances follow Lance and Williams: O(n²) time, however many distances are equal, and
 * memory for one copy of them.
 */
final class AverageLinkage {
  private static final int NONE = -1;

  private record Merge(int a, int b, float height) {}

  private final PairValues distance;
  private final int[] size;
  private final float[] height;
  private final List<Merge> merges = new ArrayList<>();

  private AverageLinkage(PairValues distances) {
    distance = distances.copy();
    size = new int[distances.items()];
    Arrays.fill(size, 1);
    height = new float[size.length];
  }

  /**
   * Cluster of every item, numbered from 0 by first member, for each number of clusters from 1 to
   * {@code most}, or to that of the items where they are fewer: {@code [k - 1][item]}.
   */
  static int[][] cuts(PairValues distances, int most) {
    var tree = new AverageLinkage(distances);
    tree.grow();
    int n = distances.items();
    int[] cluster = new int[n];
    Arrays.setAll(cluster, i -> i);
    int[][] cuts = new int[Math.min(most, n)][];
    for (int left = n; left > 0; left--) {
      if (left <= cuts.length) {
        cuts[left - 1] = numbered(cluster);
      }
      if (left > 1) {
        Merge merge = tree.merges.get(n - left);
        cluster[root(cluster, merge.b)] = root(cluster, merge.a);
      }
    }
    return cuts;
  }

  /**
   * All merges in order of height: {@code [first, second, height]}. Items are 0 to n − 1, and what
   * merge i makes is n + i.
   */
  static List<double[]> merges(PairValues distances) {
    int n = distances.items();
    if (n < 2) {
      return List.of();
    }
    var tree = new AverageLinkage(distances);
    tree.grow();
    int[] cluster = new int[n];
    int[] name = new int[n];
    Arrays.setAll(cluster, i -> i);
    Arrays.setAll(name, i -> i);
    var named = new ArrayList<double[]>();
    for (Merge merge : tree.merges) {
      int a = root(cluster, merge.a);
      int b = root(cluster, merge.b);
      named.add(new double[] {name[a], name[b], merge.height});
      cluster[b] = a;
      name[a] = n + named.size() - 1;
    }
    return List.copyOf(named);
  }

  private void grow() {
    int n = size.length;
    int[] chain = new int[n];
    int length = 0;
    int first = 0;
    while (merges.size() < n - 1) {
      if (length == 0) {
        while (size[first] == 0) first++;
        chain[length++] = first;
      }
      int last = chain[length - 1];
      int before = length > 1 ? chain[length - 2] : NONE;
      int next = nearest(last, before);
      if (next == before) {
        length -= 2;
        merge(Math.min(last, next), Math.max(last, next));
      } else {
        chain[length++] = next;
      }
    }
    merges.sort(Comparator.comparingDouble(Merge::height));
  }

  /**
   * The nearest cluster; of several the preferred one, without which a chain may run in circles.
   */
  private int nearest(int i, int preferred) {
    int nearest = preferred;
    for (int j = 0; j < size.length; j++) {
      if (j != i
          && size[j] > 0
          && (nearest == NONE || distance.get(i, j) < distance.get(i, nearest))) {
        nearest = j;
      }
    }
    return nearest;
  }

  private void merge(int keep, int drop) {
    // Rounding must not let a cluster be made before its parts.
    height[keep] = Math.max(distance.get(keep, drop), Math.max(height[keep], height[drop]));
    merges.add(new Merge(keep, drop, height[keep]));
    for (int j = 0; j < size.length; j++) {
      if (size[j] > 0 && j != keep && j != drop) {
        double sum =
            (double) size[keep] * distance.get(keep, j)
                + (double) size[drop] * distance.get(drop, j);
        distance.set(keep, j, sum / (size[keep] + size[drop]));
      }
    }
    size[keep] += size[drop];
    size[drop] = 0;
  }

  private static int root(int[] cluster, int item) {
    int at = item;
    while (cluster[at] != at) {
      cluster[at] = cluster[cluster[at]];
      at = cluster[at];
    }
    return at;
  }

  private static int[] numbered(int[] cluster) {
    int[] number = new int[cluster.length];
    Arrays.fill(number, NONE);
    int[] out = new int[cluster.length];
    int next = 0;
    for (int i = 0; i < cluster.length; i++) {
      int root = root(cluster, i);
      if (number[root] == NONE) {
        number[root] = next++;
      }
      out[i] = number[root];
    }
    return out;
  }

  /**
   * Silhouette of every item in [−1, 1], 0 for an item alone in its cluster. Rousseeuw 1987.
   *
   * @param clusters cluster of every item, numbered from 0
   */
  static double[] silhouettes(PairValues distances, int[] clusters) {
    int n = clusters.length;
    int k = Arrays.stream(clusters).max().orElse(-1) + 1;
    double[][] sum = new double[n][k];
    int[] count = new int[k];
    for (int i = 0; i < n; i++) {
      count[clusters[i]]++;
      for (int j = 0; j < i; j++) {
        double d = distances.get(i, j);
        sum[i][clusters[j]] += d;
        sum[j][clusters[i]] += d;
      }
    }
    double[] values = new double[n];
    for (int i = 0; i < n; i++) {
      int own = clusters[i];
      double other = Double.POSITIVE_INFINITY;
      for (int c = 0; c < k; c++) {
        if (c != own) {
          other = Math.min(other, sum[i][c] / count[c]);
        }
      }
      if (count[own] > 1 && other < Double.POSITIVE_INFINITY) {
        double inside = sum[i][own] / (count[own] - 1);
        double scale = Math.max(inside, other);
        values[i] = scale == 0 ? 0 : (other - inside) / scale;
      }
    }
    return values;
  }
}
