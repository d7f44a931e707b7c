package org.modeltracer.sparse;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the indexers of a model are worth, over all prompts that ran.
 *
 * @param prompts texts that ran
 * @param exercised whether any query saw more keys than are selected
 * @param notExercised what to do when none did, else null
 * @param layers one for each layer that attends to selected keys, ascending
 * @param layerOverlap {@code [layer][layer]} in the order of {@code layers}: mean share of one
 *     layer's selection that is in the other's, exercised queries only; null where none was
 */
public record IndexerReport(
    long prompts,
    boolean exercised,
    @Nullable String notExercised,
    List<IndexedLayer> layers,
    double @Nullable [][] layerOverlap) {

  /** Mean recall of the layers that were exercised, null when none was. */
  public @Nullable Double recall() {
    var all = layers.stream().map(IndexedLayer::recall).filter(r -> r != null).toList();
    return all.isEmpty() ? null : all.stream().mapToDouble(Double::doubleValue).sum() / all.size();
  }
}
