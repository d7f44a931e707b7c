package org.modeltracer.trace;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.ActivationRules;
import org.modeltracer.anomaly.Finding;
import org.modeltracer.anomaly.Thresholds;

/** How much every layer adds to the residual stream, summed over tokens. */
final class ResidualStream {
  private final Thresholds limits;
  private Sum[] sums = {};

  /** Sums over the tokens that passed one layer. */
  static final class Sum {
    long tokens;
    double in;
    double delta;
    double out;
    double cosine;

    double ratio() {
      return in / (in + delta);
    }
  }

  ResidualStream(Thresholds limits) {
    this.limits = limits;
  }

  @Nullable Finding record(
      int layer, int tokens, double in, double delta, double out, double cosine) {
    if (layer >= sums.length) {
      int known = sums.length;
      sums = Arrays.copyOf(sums, layer + 1);
      Arrays.setAll(sums, i -> i < known ? sums[i] : new Sum());
    }
    double ratio = in / (in + delta);
    if (!Double.isFinite(ratio + out + cosine)) {
      return null;
    }
    Sum sum = sums[layer];
    sum.tokens += tokens;
    sum.in += in;
    sum.delta += delta;
    sum.out += out;
    sum.cosine += cosine;
    return ActivationRules.judgeResidual(ratio, sum.ratio(), sum.tokens, limits);
  }

  /** Number of layers, counting up to the highest recorded. */
  int layers() {
    return sums.length;
  }

  /** The sums of a layer, or null when nothing was recorded of it. */
  @Nullable Sum of(int layer) {
    return layer < sums.length && sums[layer].tokens > 0 ? sums[layer] : null;
  }
}
