package org.modeltracer.sparse.patterns;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the attention of a model is shaped like.
 *
 * @param heads every head that showed a row of 32 keys or more, by layer and head
 * @param kinds heads by kind, in the order of {@link PatternKind}; kinds without heads are left out
 * @param clusters heads that are alike; none where no split is better than chance
 * @param clusterChance of as clear clusters of heads whose features have nothing to do with each
 *     other; null where a number of clusters was asked for, or nothing could be compared
 * @param layers what few keys would save, by layer
 * @param total the same of all layers together
 * @param absent what could not be computed, by field, and why
 */
public record PatternReport(
    List<HeadPattern> heads,
    List<KindOfHead> kinds,
    List<PatternCluster> clusters,
    @Nullable Double clusterChance,
    List<LayerSavings> layers,
    List<Savings> total,
    Map<String, String> absent) {

  /**
   * Heads of one kind.
   *
   * @param kind the kind
   * @param heads number of them
   * @param tokens what they attend to
   */
  public record KindOfHead(PatternKind kind, int heads, List<KindLift> tokens) {}

  /**
   * What few keys would save in a layer.
   *
   * @param layer layer index
   * @param savings by mass and way to choose
   */
  public record LayerSavings(int layer, List<Savings> savings) {}
}
