package org.modeltracer.report;

import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.ResidualChange;

/** Norm of the residual stream after each layer, pass by pass, with columns of a fixed number. */
final class PassNorms {
  private static final int COLUMNS = 1024;

  /**
   * What a page draws.
   *
   * @param stride passes behind a column, whose number is that of the last of them
   */
  record Picture(int stride, List<Layer> layers) {}

  /** Mean over a pass's tokens of ‖x_out‖, null where it is not finite. */
  record Layer(int layer, List<@Nullable Double> norms) {}

  private final NavigableMap<Integer, List<@Nullable Double>> layers = new TreeMap<>();
  private int stride = 1;

  void add(int pass, int layer, ResidualChange change) {
    List<@Nullable Double> norms =
        layers.computeIfAbsent(layer, l -> new ArrayList<@Nullable Double>());
    while (pass / stride >= COLUMNS) {
      stride *= 2;
      layers.replaceAll((l, all) -> halved(all));
    }
    norms = layers.getOrDefault(layer, norms);
    while (norms.size() <= pass / stride) {
      norms.add(null);
    }
    if (change.rows() > 0 && change.isFinite()) {
      norms.set(pass / stride, change.normOut() / change.rows());
    }
  }

  private static List<@Nullable Double> halved(List<@Nullable Double> norms) {
    var half = new ArrayList<@Nullable Double>();
    for (int i = 0; i < norms.size(); i += 2) {
      Double later = i + 1 < norms.size() ? norms.get(i + 1) : null;
      half.add(later != null ? later : norms.get(i));
    }
    return half;
  }

  Picture picture() {
    return new Picture(
        stride,
        layers.entrySet().stream()
            .map(
                entry ->
                    new Layer(entry.getKey(), new ArrayList<@Nullable Double>(entry.getValue())))
            .toList());
  }
}
