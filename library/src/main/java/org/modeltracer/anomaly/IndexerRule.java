package org.modeltracer.anomaly;

import org.jspecify.annotations.Nullable;

/** The rule about sparse attention: what a layer selects covers what its attention would want. */
public final class IndexerRule {
  private IndexerRule() {}

  /**
   * Judges what a layer selected so far, once enough queries saw more keys than it selects.
   *
   * @param queries such queries
   * @param recall share of the attention mass over all visible keys that was selected, mean
   * @param best the largest share that as many keys could cover, mean
   * @param chance the share that keys drawn at random would cover, mean
   * @param remedy what would cover more, such as {@code 0.97 without ReLU}; null where nothing is
   *     known
   */
  public static @Nullable Finding judge(
      long queries,
      double recall,
      double best,
      double chance,
      @Nullable String remedy,
      Thresholds limits) {
    if (queries < limits.indexerQueries() || recall >= limits.indexerRecall() * best) {
      return null;
    }
    return Finding.of(
        AnomalyKind.INDEXER_RECALL,
        "selected keys hold %.2f of the attention mass over %d queries, as many could %.2f, by chance %.2f%s"
            .formatted(recall, queries, best, chance, remedy == null ? "" : "; " + remedy));
  }
}
