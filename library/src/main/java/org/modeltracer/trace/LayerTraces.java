package org.modeltracer.trace;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Place;
import org.modeltracer.model.ResidualChange;
import org.modeltracer.model.Site;

/** The view by layer of what was seen by place. */
final class LayerTraces {
  private final Activations activations;
  private final ResidualTraces residual;
  private final AnomalyBook anomalies;

  LayerTraces(Activations activations, ResidualTraces residual, AnomalyBook anomalies) {
    this.activations = activations;
    this.residual = residual;
    this.anomalies = anomalies;
  }

  List<LayerActivationTrace> layers() {
    List<LayerActivationTrace> layers = new ArrayList<>();
    for (int layer = 0; layer < Math.max(activations.layers(), residual.layers()); layer++) {
      layers.add(layer(layer));
    }
    return layers;
  }

  private LayerActivationTrace layer(int layer) {
    PlaceTrace input = input(layer);
    PlaceTrace norm = activations.trace(Site.ATTN_NORM, layer);
    PlaceTrace attention = activations.trace(Site.ATTN_OUT, layer);
    PlaceTrace ffn = activations.trace(Site.FFN_OUT, layer);
    PlaceTrace output = activations.trace(Site.LAYER_OUT, layer);
    ResidualChange sum = residual.of(layer);
    return new LayerActivationTrace(
        layer,
        input,
        norm,
        attention,
        ffn,
        output,
        sum == null ? null : sum.kept(),
        sum == null ? null : sum.cosine() / sum.rows(),
        sum == null ? null : sum.normOut() / sum.normIn(),
        sum == null ? 0 : sum.rows(),
        headroom(input, norm, attention, ffn, output),
        anomalies.inLayer(layer));
  }

  private @Nullable PlaceTrace input(int layer) {
    if (layer == 0) {
      return activations.trace(Site.EMBEDDING, Place.BEFORE_LAYERS);
    }
    // The layers of an encoder follow those of its decoder, but begin with an embedding anew.
    PlaceTrace own = activations.trace(Site.EMBEDDING, layer);
    return own != null ? own : activations.trace(Site.LAYER_OUT, layer - 1);
  }

  private static @Nullable Double headroom(@Nullable PlaceTrace... places) {
    Double least = null;
    for (PlaceTrace place : places) {
      if (place != null && Double.isNaN(place.headroomBits())) {
        return null;
      }
      if (place != null && (least == null || place.headroomBits() < least)) {
        least = place.headroomBits();
      }
    }
    return least;
  }
}
