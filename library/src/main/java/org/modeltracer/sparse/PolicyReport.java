package org.modeltracer.sparse;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What selections of keys would cost a dense model.
 *
 * @param budgets keys kept at most
 * @param heads every head that showed attention, by layer and head
 * @param layers what is recommended for each layer
 * @param target share of the attention mass that a recommendation keeps, mean of a layer's heads
 * @param verification the run repeated under the recommendation; null where that was not asked
 */
public record PolicyReport(
    List<Integer> budgets,
    List<HeadPolicies> heads,
    List<LayerPolicy> layers,
    double target,
    @Nullable Verification verification) {

  /**
   * One head.
   *
   * @param rows its rows
   * @param kept by policy and budget; of rows that see more keys than the budget
   * @param needed by percent of mass (90, 95, 99): mean share of the visible keys that hold it
   */
  public record HeadPolicies(
      int layer, int head, long rows, List<Kept> kept, Map<String, Double> needed) {

    /** What a policy keeps under a budget; null where no row sees more keys. */
    public @Nullable Kept kept(KeyPolicy policy, int budget) {
      return kept.stream()
          .filter(cell -> cell.policy() == policy && cell.budget() == budget)
          .findFirst()
          .orElse(null);
    }
  }

  /**
   * Attention mass that a policy keeps.
   *
   * @param budget keys kept at most by each query
   * @param mass mean share, 0 to 1
   * @param rows rows that see more keys than the budget
   * @param kept mean share of the visible keys
   */
  public record Kept(KeyPolicy policy, int budget, double mass, long rows, double kept) {}

  /**
   * The smallest budget that keeps enough, and the policy that keeps most with it.
   *
   * @param policy null where none keeps enough: the layer stays dense
   * @param budget null likewise
   * @param predictedRecall mean mass kept of its heads, over the rows that see more keys than the
   *     budget; 1 where it stays dense
   * @param saved share of keys not attended to in these rows: of the products with keys and values,
   *     and of the cached keys and values that are read
   */
  public record LayerPolicy(
      int layer,
      @Nullable KeyPolicy policy,
      @Nullable Integer budget,
      double predictedRecall,
      double saved) {}

  /**
   * What the recommendation did to a model's predictions.
   *
   * @param positions positions compared
   * @param predictedRecall mean of the layers'
   * @param klMean mean D(full ‖ under policies), nats
   * @param klMax the largest
   * @param sameTop1 share of positions whose most likely token stays
   */
  public record Verification(
      int positions, double predictedRecall, double klMean, double klMax, double sameTop1) {}

  /** The same with a verification. */
  public PolicyReport verified(Verification by) {
    return new PolicyReport(budgets, heads, layers, target, by);
  }
}
