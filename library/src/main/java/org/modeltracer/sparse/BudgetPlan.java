package org.modeltracer.sparse;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.sparse.PolicyReport.HeadPolicies;
import org.modeltracer.sparse.PolicyReport.Kept;

/**
 * The best pattern of every layer under a budget.
 *
 * <p>{@link KeyPolicy#TOP_K} is not among them: it has to see all scores first, and is the bound.
 *
 * @param budget keys that a query may keep, mean of the layers
 * @param each for every layer the policy and number of keys, at most the budget, that keep most
 * @param eachRecall mean mass that they keep
 * @param shared the same where layers share the budget: one may keep more than another, as long as
 *     all together keep no more than the budget in each
 * @param sharedRecall mean mass that they keep: the largest there is
 * @param bound what the keys of the largest weights would keep, as many in each layer
 */
public record BudgetPlan(
    int budget,
    List<LayerPattern> each,
    double eachRecall,
    List<LayerPattern> shared,
    double sharedRecall,
    double bound) {

  /**
   * What is chosen for a layer.
   *
   * @param layer layer index
   * @param policy how keys are kept
   * @param budget keys kept at most
   * @param recall mean mass kept, over its heads and all of their rows: those that see no more keys
   *     than the budget keep everything
   */
  public record LayerPattern(int layer, KeyPolicy policy, int budget, double recall) {}

  /** Some choices, one for each of the first layers. */
  private record Plan(@Nullable Plan before, LayerPattern last, long keys, double recall) {}

  /** Plans for every budget of a report, of all policies with all budgets in all layers. */
  public static List<BudgetPlan> of(PolicyReport report) {
    List<List<LayerPattern>> choices = choices(report);
    return choices.isEmpty()
        ? List.of()
        : report.budgets().stream().map(budget -> under(budget, report, choices)).toList();
  }

  /** For each layer every policy with every budget. */
  private static List<List<LayerPattern>> choices(PolicyReport report) {
    return report.heads().stream()
        .map(HeadPolicies::layer)
        .distinct()
        .map(layer -> choices(report, layer))
        .filter(of -> !of.isEmpty())
        .toList();
  }

  private static List<LayerPattern> choices(PolicyReport report, int layer) {
    var choices = new ArrayList<LayerPattern>();
    for (KeyPolicy policy : KeyPolicy.values()) {
      for (int budget : policy == KeyPolicy.TOP_K ? List.<Integer>of() : report.budgets()) {
        choices.add(choice(report, layer, policy, budget));
      }
    }
    return choices;
  }

  private static LayerPattern choice(PolicyReport report, int layer, KeyPolicy policy, int budget) {
    var recall = new MeanSum();
    for (HeadPolicies head : report.heads()) {
      if (head.layer() == layer) {
        recall.add(recall(head, policy, budget));
      }
    }
    return new LayerPattern(layer, policy, budget, recall.orZero());
  }

  /** Mean mass over all rows of a head. */
  private static double recall(HeadPolicies head, KeyPolicy policy, int budget) {
    Kept kept = head.kept(policy, budget);
    return kept == null ? 1 : 1 - (1 - kept.mass()) * kept.rows() / head.rows();
  }

  private static BudgetPlan under(
      int budget, PolicyReport report, List<List<LayerPattern>> choices) {
    List<LayerPattern> each =
        choices.stream()
            .map(
                of ->
                    of.stream()
                        .filter(choice -> choice.budget() <= budget)
                        .max(Comparator.comparingDouble(LayerPattern::recall))
                        .orElseThrow())
            .toList();
    List<LayerPattern> shared = shared((long) budget * choices.size(), choices);
    List<LayerPattern> bound =
        each.stream().map(layer -> choice(report, layer.layer(), KeyPolicy.TOP_K, budget)).toList();
    return new BudgetPlan(budget, each, recall(each), shared, recall(shared), recall(bound));
  }

  private static double recall(List<LayerPattern> layers) {
    return layers.stream().mapToDouble(LayerPattern::recall).average().orElse(0);
  }

  /**
   * The choices with the largest recall, all keys of which are within a limit: layer by layer, of
   * all plans with as many keys or more only those that keep more mass go on.
   */
  private static List<LayerPattern> shared(long limit, List<List<LayerPattern>> choices) {
    List<Plan> plans = new ArrayList<>();
    for (List<LayerPattern> layer : choices) {
      var longer = new ArrayList<Plan>();
      for (LayerPattern choice : layer) {
        if (plans.isEmpty()) {
          longer.add(new Plan(null, choice, choice.budget(), choice.recall()));
        }
        for (Plan plan : plans) {
          longer.add(
              new Plan(plan, choice, plan.keys + choice.budget(), plan.recall + choice.recall()));
        }
      }
      longer.removeIf(plan -> plan.keys > limit);
      plans = best(longer);
    }
    var chosen = new ArrayList<LayerPattern>();
    for (Plan plan = plans.getLast(); plan != null; plan = plan.before) {
      chosen.addFirst(plan.last);
    }
    return List.copyOf(chosen);
  }

  /** Plans by keys, each of which keeps more than all with fewer. */
  private static List<Plan> best(List<Plan> plans) {
    plans.sort(
        Comparator.comparingLong(Plan::keys)
            .thenComparing(Comparator.comparingDouble(Plan::recall).reversed()));
    var best = new ArrayList<Plan>();
    for (Plan plan : plans) {
      if (best.isEmpty() || plan.recall > best.getLast().recall) {
        best.add(plan);
      }
    }
    return best;
  }
}
