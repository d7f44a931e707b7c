package org.modeltracer.model;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A {@link Site} in one layer.
 *
 * @param site the kind of place
 * @param layer layer index from 0; {@link #BEFORE_LAYERS} for the embedding, {@link #AFTER_LAYERS}
 *     for what follows the last layer (final norm, logits) or belongs to no layer
 */
public record Place(Site site, int layer) {
  /** "Layer" of the embedding, as the logit lens counts. */
  public static final int BEFORE_LAYERS = -1;

  /** "Layer" of the final norm, the logits, and whatever belongs to no layer. */
  public static final int AFTER_LAYERS = Integer.MAX_VALUE;

  /** Where the scores of the next token come out. */
  public static final Place LOGITS = new Place(Site.LOGITS, AFTER_LAYERS);

  /** What is no known place. */
  public static final Place NOWHERE = new Place(Site.OTHER, AFTER_LAYERS);

  /**
   * Where, among a model's places, the states are that logits, or the embedding of a text, are made
   * of: after the last norm, or, where there is none, after the last layer.
   */
  public static Optional<Place> lastState(Collection<Place> places) {
    var normed = new Place(Site.FINAL_NORM, AFTER_LAYERS);
    return places.contains(normed)
        ? Optional.of(normed)
        : places.stream()
            .filter(place -> place.site() == Site.LAYER_OUT)
            .max(Comparator.comparingInt(Place::layer));
  }

  /** Layer index, -1 for the embedding, null for what belongs to no layer. */
  public @Nullable Integer layerOrNull() {
    return layer == AFTER_LAYERS ? null : layer;
  }

  /** Whether this place lies inside a numbered layer. */
  public boolean inLayer() {
    return layer >= 0 && layer != AFTER_LAYERS;
  }

  @Override
  public String toString() {
    return inLayer() ? site.id() + "-" + layer : site.id();
  }
}
