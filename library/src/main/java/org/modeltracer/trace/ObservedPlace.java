package org.modeltracer.trace;

import org.jspecify.annotations.Nullable;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/**
 * A place, and what was seen there over the run. Its components are its JSON fields.
 *
 * @param site kind of place
 * @param layer layer index, -1 for the embedding, null for what belongs to no layer
 * @param stats what was seen
 */
public record ObservedPlace(Site site, @Nullable Integer layer, PlaceTrace stats) {
  static ObservedPlace of(Place place, PlaceTrace stats) {
    return new ObservedPlace(place.site(), place.layerOrNull(), stats);
  }
}
