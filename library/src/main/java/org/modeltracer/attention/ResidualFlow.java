package org.modeltracer.attention;

import java.util.Map;
import java.util.TreeMap;

/** What layers do to the residual stream, summed over tokens as norms are handed in. */
final class ResidualFlow {
  private final Map<Integer, double[]> sums = new TreeMap<>();

  /**
   * Tokens through one layer.
   *
   * @param rows number of tokens
   * @param in sum of ‖x_in‖
   * @param out sum of ‖x_out‖
   * @param cosine sum of the cosines of x_in and x_out
   * @param change sum of ‖x_out − x_in‖
   */
  void add(int layer, int rows, double in, double out, double cosine, double change) {
    double ratio = in == 0 ? 0 : rows * change / in;
    double total = in + out + cosine + ratio;
    if (total - total != 0) {
      return;
    }
    double[] sum = sums.computeIfAbsent(layer, l -> new double[5]);
    sum[0] += in;
    sum[1] += out;
    sum[2] += cosine;
    sum[3] += ratio;
    sum[4] += rows;
  }

  void merge(ResidualFlow other) {
    other.sums.forEach(
        (layer, theirs) -> {
          double[] sum = sums.computeIfAbsent(layer, l -> new double[5]);
          for (int i = 0; i < sum.length; i++) {
            sum[i] += theirs[i];
          }
        });
  }

  Map<Integer, LayerFlow> means() {
    var means = new TreeMap<Integer, LayerFlow>();
    sums.forEach(
        (layer, s) -> {
          double n = s[4];
          means.put(
              layer, new LayerFlow(s[0] / n, s[1] / n, s[2] / n, s[3] / n, 1 - s[2] / n, (long) n));
        });
    return means;
  }
}
