package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.modeltracer.attention.LayerMeans;

/**
 * The path of largest product of Â from a target position above the last layer to a source below
 * the first.
 *
 * @param positions {@code [depth + 1]}, the target first
 */
record StrongestPath(int[] positions) {
  /** The strongest path from a target to each of the first {@code n} positions. */
  static List<StrongestPath> from(int target, int n, LayerMeans means) {
    int depth = means.depth();
    double[] reach = new double[n];
    Arrays.fill(reach, Double.NEGATIVE_INFINITY);
    reach[target] = 0;
    int[][] from = new int[depth][n];
    for (int d = depth - 1; d >= 0; d--) {
      double[] next = new double[n];
      Arrays.fill(next, Double.NEGATIVE_INFINITY);
      for (int i = 0; i < n; i++) {
        if (reach[i] == Double.NEGATIVE_INFINITY) continue;
        double[] row = means.mixed(d, i);
        for (int j = 0; j < Math.min(n, row.length); j++) {
          double value = reach[i] + Math.log(row[j]);
          if (value > next[j]) {
            next[j] = value;
            from[d][j] = i;
          }
        }
      }
      reach = next;
    }
    var paths = new ArrayList<StrongestPath>();
    for (int source = 0; source < n; source++) {
      int[] path = new int[depth + 1];
      path[depth] = source;
      for (int d = 0; d < depth; d++) {
        path[depth - 1 - d] = from[d][path[depth - d]];
      }
      paths.add(new StrongestPath(path));
    }
    return paths;
  }

  /** The product of Â along it. */
  double strength(LayerMeans means) {
    double product = 1;
    int depth = means.depth();
    for (int s = 0; s < depth; s++) {
      product *= means.mixed(depth - 1 - s, positions[s])[positions[s + 1]];
    }
    return product;
  }
}
