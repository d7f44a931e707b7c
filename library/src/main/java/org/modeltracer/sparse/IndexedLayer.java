package org.modeltracer.sparse;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What one layer's selection is worth.
 *
 * <p>Qualities cover measured queries, which see more keys than are selected; means over queries.
 * They are null where there was none, and those that need attention over all keys where that cannot
 * be computed, for the reason in {@code absent}.
 *
 * @param layer layer index
 * @param compressed whether keys are compressed ones, each of which stands for several tokens; they
 *     are counted in place of positions, and attention is that over these alone
 * @param topK keys selected at most
 * @param queries queries seen
 * @param exercised those among them that see more than {@code topK} keys
 * @param measured those among them that were measured: all, or in a trace beside a run as many as
 *     there was time for
 * @param recall share of the attention mass over all visible keys that the selection covers: the
 *     layer's own q and k, mean of the heads
 * @param recallMin the least of any query
 * @param best the share that the best selection of that size would cover
 * @param chance the share that one drawn at random would cover on average
 * @param recencyRecall the share that the most recent keys of that number cover
 * @param lift recall over chance
 * @param liftOverRecency recall over that of the most recent keys
 * @param overlap share of the selection that belongs to the best one (overlap@k)
 * @param iou intersection over union with the best one
 * @param auc probability that a key of the best selection has a higher score than one that is not,
 *     ties by half
 * @param selectionAuc the same for selected against unselected keys; below 1 the selection is not
 *     of the highest scores
 * @param divergence D(attention ‖ softmax of the index scores), nats
 * @param scoreScale factor on the scores, a power of two, that makes it least
 * @param divergenceScaled the divergence then, nats
 * @param scores index scores of all visible keys
 * @param selectedScore mean score of selected keys
 * @param unselectedScore mean score of visible keys that are not
 * @param positionCorrelation mean Pearson correlation of score and key position within a query
 * @param scoreByKey mean score by tenth of the visible keys, oldest first, each query's scores
 *     standardized
 * @param selectedByKey share of keys selected by tenth of the visible keys, oldest first
 * @param recallByLength by number of visible keys
 * @param fallsFrom number of visible keys from which on recall, as a share of the best, stays more
 *     than 0.1 below that of the shortest bin, null if it does not
 * @param distanceMean mean distance, query − key, of selected keys
 * @param distances share of selected keys by distance: 0, 1, 2–3, 4–7, …
 * @param recent share of selected keys that are among the {@code topK} most recent
 * @param sink share of selected keys at positions 0 to 3
 * @param selectedAt by key position: share of the exercised queries that see it that select it
 * @param heads the indexer's heads; empty where the graph does not show them
 * @param contrasts attention heads over all keys and over the selected ones, side by side; empty
 *     where attention over all keys cannot be computed
 * @param marked the last query that was measured, with its keys; null where none was
 * @param diagnosis what would do better, null where nothing was tried
 * @param absent why numbers are missing, null where none is
 */
public record IndexedLayer(
    int layer,
    boolean compressed,
    int topK,
    long queries,
    long exercised,
    long measured,
    @Nullable Double recall,
    @Nullable Double recallMin,
    @Nullable Double best,
    @Nullable Double chance,
    @Nullable Double recencyRecall,
    @Nullable Double lift,
    @Nullable Double liftOverRecency,
    @Nullable Double overlap,
    @Nullable Double iou,
    @Nullable Double auc,
    @Nullable Double selectionAuc,
    @Nullable Double divergence,
    @Nullable Double scoreScale,
    @Nullable Double divergenceScaled,
    @Nullable ScoreSummary scores,
    @Nullable Double selectedScore,
    @Nullable Double unselectedScore,
    @Nullable Double positionCorrelation,
    double[] scoreByKey,
    double[] selectedByKey,
    List<LengthBin> recallByLength,
    @Nullable Integer fallsFrom,
    @Nullable Double distanceMean,
    double[] distances,
    @Nullable Double recent,
    @Nullable Double sink,
    double[] selectedAt,
    List<IndexHead> heads,
    List<HeadContrast> contrasts,
    @Nullable MarkedQuery marked,
    @Nullable PortDiagnosis diagnosis,
    @Nullable String absent) {

  /** The mistake of a port that explains more, in a sentence; null where none is known to. */
  public @Nullable String mistake() {
    return diagnosis == null ? null : diagnosis.sentence(layer);
  }
}
