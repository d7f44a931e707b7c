package org.modeltracer.sparse.patterns;

import org.jspecify.annotations.Nullable;

/**
 * What keeping only the keys that hold so much of the attention would save, mean over queries.
 *
 * @param mass share of every head's attention mass that stays, 0 to 1
 * @param selection how keys are chosen
 * @param kept share of the keys that query heads attend to, of those in sight
 * @param flops floating-point operations of attention saved a query; null where widths are not
 *     known. What choosing costs is not part of it
 * @param flopsSaved their share of all that attention makes
 * @param kvBytes bytes of cached keys and values that no query head of their group needs, and that
 *     are not read, a query; null where there is no cache
 * @param kvSaved their share of those in sight
 */
public record Savings(
    double mass,
    Selection selection,
    double kept,
    @Nullable Double flops,
    double flopsSaved,
    @Nullable Double kvBytes,
    double kvSaved) {

  /** How keys are chosen. */
  public enum Selection {
    /** For each query, those of the largest weights: what nothing can beat. */
    TOP_K,
    /** By the fixed rule that keeps fewest; of a KV head, one rule for its query heads. */
    FIXED
  }
}
