package org.modeltracer.trace;

import java.util.List;

/**
 * What was seen of tensors over the run. Components of summaries are their JSON fields.
 *
 * @param layers by layer, the places that every transformer has
 * @param places every place that was watched, by site, then by layer
 * @param experts how often the routers chose each expert
 */
public record ActivationSummary(
    List<LayerActivationTrace> layers, List<ObservedPlace> places, List<LayerExperts> experts) {

  /**
   * Choices of one layer's router.
   *
   * @param layer layer index, from 0
   * @param choices number of choices
   * @param counts times that each expert was chosen
   */
  public record LayerExperts(int layer, long choices, List<Long> counts) {}
}
