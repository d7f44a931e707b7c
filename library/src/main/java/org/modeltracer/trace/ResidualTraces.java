package org.modeltracer.trace;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.ActivationRules;
import org.modeltracer.anomaly.Finding;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.model.ResidualChange;

/** What every layer does to the residual stream, summed over the run. */
final class ResidualTraces {
  private final Thresholds limits;
  private ResidualChange[] sums = {};

  ResidualTraces(Thresholds limits) {
    this.limits = limits;
  }

  @Nullable Finding record(int layer, ResidualChange change) {
    if (layer >= sums.length) {
      int known = sums.length;
      sums = Arrays.copyOf(sums, layer + 1);
      Arrays.setAll(sums, i -> i < known ? sums[i] : new ResidualChange());
    }
    if (!change.isFinite() || !Double.isFinite(change.kept())) {
      return null;
    }
    ResidualChange sum = sums[layer];
    sum.add(change);
    return ActivationRules.judgeResidual(change.kept(), sum.kept(), sum.rows(), limits);
  }

  /** Number of layers, counting up to the highest recorded. */
  int layers() {
    return sums.length;
  }

  /** The sums of a layer, or null when nothing was recorded of it. */
  @Nullable ResidualChange of(int layer) {
    return layer < sums.length && sums[layer].rows() > 0 ? sums[layer] : null;
  }
}
