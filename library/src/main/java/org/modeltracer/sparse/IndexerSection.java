package org.modeltracer.sparse;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a summary says of indexers: recall and what explains it, without what grows with the text.
 *
 * @param exercised whether any query saw more keys than are selected
 * @param notExercised what to do when none did, else null
 * @param recall mean of the layers that were measured, null where none was
 * @param layers one for each layer that attends to selected keys, ascending
 */
record IndexerSection(
    boolean exercised, @Nullable String notExercised, @Nullable Double recall, List<Layer> layers) {

  /**
   * A layer; numbers as in {@link IndexedLayer}.
   *
   * @param mistake what explains more attention mass, null where nothing is known to
   * @param recallUndone recall without it
   */
  record Layer(
      int layer,
      int topK,
      long queries,
      long exercised,
      long measured,
      @Nullable Double recall,
      @Nullable Double recallMin,
      @Nullable Double best,
      @Nullable Double chance,
      @Nullable Double recencyRecall,
      @Nullable Double overlap,
      @Nullable Double iou,
      @Nullable Double auc,
      @Nullable Double divergence,
      @Nullable Integer fallsFrom,
      @Nullable PortMistake mistake,
      @Nullable Double recallUndone,
      @Nullable String absent) {

    private static Layer of(IndexedLayer of) {
      PortDiagnosis diagnosis = of.diagnosis();
      return new Layer(
          of.layer(),
          of.topK(),
          of.queries(),
          of.exercised(),
          of.measured(),
          of.recall(),
          of.recallMin(),
          of.best(),
          of.chance(),
          of.recencyRecall(),
          of.overlap(),
          of.iou(),
          of.auc(),
          of.divergence(),
          of.fallsFrom(),
          diagnosis == null ? null : diagnosis.mistake(),
          diagnosis == null ? null : diagnosis.recallUndone(),
          of.absent());
    }
  }

  static IndexerSection of(IndexerReport report) {
    return new IndexerSection(
        report.exercised(),
        report.notExercised(),
        report.recall(),
        report.layers().stream().map(Layer::of).toList());
  }
}
