package org.modeltracer.quant;

import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.QuantizationLevel;

/**
 * The error of one layer's output, the residual stream.
 *
 * @param layer layer index, from 0
 * @param local what the layer adds of its own, given the reference's input; null where not measured
 * @param accumulated with each model running free
 * @param worst name of the layer's node of largest local (else accumulated) relative error
 * @param level worst level of the layer's nodes
 */
public record LayerError(
    int layer,
    @Nullable TensorError local,
    @Nullable TensorError accumulated,
    String worst,
    QuantizationLevel level) {

  /** What the layer adds of its own, or, where that was not measured, all of it. */
  public @Nullable TensorError own() {
    return local != null ? local : accumulated;
  }
}
