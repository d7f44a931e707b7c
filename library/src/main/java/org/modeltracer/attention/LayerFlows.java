package org.modeltracer.attention;

import java.util.Map;
import java.util.TreeMap;
import org.modeltracer.model.ResidualChange;

/** What layers do to the residual stream, as means over tokens. */
final class LayerFlows {
  private final Map<Integer, ResidualChange> sums = new TreeMap<>();

  void add(int layer, ResidualChange change) {
    if (change.isFinite()) {
      sums.computeIfAbsent(layer, l -> new ResidualChange()).add(change);
    }
  }

  void merge(LayerFlows other) {
    other.sums.forEach(this::add);
  }

  /**
   * Means of the layers that changed all tokens seen.
   *
   * <p>llama.cpp computes of its last layer only the rows that something is asked of. Means over
   * other tokens are of another text, so such a layer is left out rather than put beside the rest.
   */
  Map<Integer, LayerFlow> means() {
    long all = sums.values().stream().mapToLong(ResidualChange::rows).max().orElse(0);
    var means = new TreeMap<Integer, LayerFlow>();
    sums.forEach(
        (layer, sum) -> {
          if (sum.rows() == all) means.put(layer, mean(sum));
        });
    return means;
  }

  private static LayerFlow mean(ResidualChange sum) {
    double n = sum.rows();
    double cosine = sum.cosine() / n;
    return new LayerFlow(
        sum.normIn() / n,
        sum.normOut() / n,
        cosine,
        sum.relativeDelta() / n,
        1 - cosine,
        sum.rows());
  }
}
