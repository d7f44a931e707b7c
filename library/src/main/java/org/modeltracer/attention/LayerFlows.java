package org.modeltracer.attention;

import java.util.Map;
import java.util.TreeMap;
import org.modeltracer.model.ResidualChange;

/** What layers do to the residual stream, as means over tokens. */
final class LayerFlows {
  private static final class Sum {
    private final ResidualChange change = new ResidualChange();
    private double ratio;

    void add(ResidualChange other, double ratios) {
      change.add(other);
      ratio += ratios;
    }

    LayerFlow mean() {
      double n = change.rows();
      double cosine = change.cosine() / n;
      return new LayerFlow(
          change.normIn() / n, change.normOut() / n, cosine, ratio / n, 1 - cosine, change.rows());
    }
  }

  private final Map<Integer, Sum> sums = new TreeMap<>();

  void add(int layer, ResidualChange change) {
    double in = change.normIn();
    double ratio = in == 0 ? 0 : change.rows() * change.normDelta() / in;
    if (change.isFinite() && Double.isFinite(ratio)) {
      sums.computeIfAbsent(layer, l -> new Sum()).add(change, ratio);
    }
  }

  void merge(LayerFlows other) {
    other.sums.forEach(
        (layer, theirs) ->
            sums.computeIfAbsent(layer, l -> new Sum()).add(theirs.change, theirs.ratio));
  }

  Map<Integer, LayerFlow> means() {
    var means = new TreeMap<Integer, LayerFlow>();
    sums.forEach((layer, sum) -> means.put(layer, sum.mean()));
    return means;
  }
}
