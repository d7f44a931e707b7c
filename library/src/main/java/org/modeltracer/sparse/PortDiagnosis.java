package org.modeltracer.sparse;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a layer's selection would be worth were its scores computed in another way.
 *
 * <p>A mistake is named when undoing it covers at least 0.02 more of the attention mass, closes
 * half the way to the best selection, and the gain, paired by query, is 3 standard errors above 0,
 * over at least 16 queries. A scale is named when the scores rank well (AUC 0.9) and another
 * factor, 4 times away or more, halves their divergence from attention.
 *
 * @param queries queries on which it was tried
 * @param recall of the selection as it is, on these
 * @param mistake what explains more attention mass, null when nothing does
 * @param recallUndone recall without the mistake, null when there is none
 * @param trials all that was tried
 * @param untried what could not be tried, and why; null when all was
 */
public record PortDiagnosis(
    long queries,
    double recall,
    @Nullable PortMistake mistake,
    @Nullable Double recallUndone,
    List<Trial> trials,
    @Nullable String untried) {

  /**
   * One way to compute scores again.
   *
   * @param mistake what it undoes
   * @param recall of the keys of the highest scores then, 0 to 1
   * @param gain mean over queries of how much more that is
   * @param significance the gain in standard errors
   */
  public record Trial(PortMistake mistake, double recall, double gain, double significance) {}

  /**
   * The finding in words, such as {@code layer 3: recall 0.41; 0.97 with the other layout of rotary
   * positions}; null when there is none.
   */
  public @Nullable String sentence(int layer) {
    String remedy = remedy();
    return remedy == null ? null : "layer %d: recall %.2f; %s".formatted(layer, recall, remedy);
  }

  /** What recall would be, such as {@code 0.97 without ReLU}; null when there is no finding. */
  @Nullable String remedy() {
    return mistake == null ? null : "%.2f %s".formatted(recallUndone, mistake.remedy());
  }
}
