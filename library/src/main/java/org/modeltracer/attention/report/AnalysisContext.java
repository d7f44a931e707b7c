package org.modeltracer.attention.report;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What an analysis takes into account beside the attention that was collected.
 *
 * @param bounds on its work
 * @param costs of heads, for pruning advice; null when the model's tensors are not known
 * @param absent what is known not to be computable, by field name of the result, and why
 */
public record AnalysisContext(
    Bounds bounds, @Nullable HeadCosts costs, Map<String, String> absent) {
  /** A copy of {@code absent}, in order of fields. */
  public AnalysisContext {
    absent = new TreeMap<>(absent);
  }

  /**
   * Bounds on the work of an analysis.
   *
   * @param pairWork pairs of weights compared between heads
   * @param flowPairs pairs (source, target) of the flow analysis
   */
  public record Bounds(long pairWork, int flowPairs) {}

  /** Usual bounds, and nothing known of the model. */
  public static AnalysisContext defaults() {
    return new AnalysisContext(new Bounds(1L << 29, 4), null, Map.of());
  }

  /** The same with what heads cost. */
  public AnalysisContext withCosts(HeadCosts ofHeads) {
    return new AnalysisContext(bounds, ofHeads, absent);
  }

  /** The same with one more field that cannot be computed. */
  public AnalysisContext withAbsent(String field, String reason) {
    var more = new TreeMap<String, String>(absent);
    more.put(field, reason);
    return new AnalysisContext(bounds, costs, more);
  }
}
