package org.modeltracer.sparse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.sparse.BudgetPlan.LayerPattern;
import org.modeltracer.sparse.PolicyReport.HeadPolicies;
import org.modeltracer.sparse.PolicyReport.Kept;

/** Plans against all that could be planned. */
class BudgetPlanTest {
  private static final List<Integer> BUDGETS = List.of(8, 12, 32);
  private static final int ROWS = 100;

  /** Heads that keep any mass under any policy, more with larger budgets but never by rule. */
  private static PolicyReport report(int layers, int heads, long seed) {
    var random = new Random(seed);
    var all = new ArrayList<HeadPolicies>();
    for (int l = 0; l < layers; l++) {
      for (int h = 0; h < heads; h++) {
        var kept = new ArrayList<Kept>();
        for (KeyPolicy policy : KeyPolicy.values()) {
          for (int budget : BUDGETS) {
            kept.add(new Kept(policy, budget, random.nextDouble(), ROWS - budget, 0.5));
          }
        }
        all.add(new HeadPolicies(l, h, ROWS, kept, Map.of()));
      }
    }
    return new PolicyReport(BUDGETS, all, List.of(), 0.95, null);
  }

  /** Mean mass of a layer's heads over all of their rows, of which short ones lose nothing. */
  private static double recall(PolicyReport report, int layer, KeyPolicy policy, int budget) {
    return report.heads().stream()
        .filter(head -> head.layer() == layer)
        .flatMap(head -> head.kept().stream())
        .filter(kept -> kept.policy() == policy && kept.budget() == budget)
        .mapToDouble(kept -> (kept.mass() * kept.rows() + ROWS - kept.rows()) / ROWS)
        .average()
        .orElseThrow();
  }

  /** The most that some layers can keep with so many keys, by trying everything. */
  private static double most(PolicyReport report, int layer, int layers, int keys) {
    if (layer == layers) {
      return 0;
    }
    double most = Double.NEGATIVE_INFINITY;
    for (KeyPolicy policy : KeyPolicy.values()) {
      for (int budget : BUDGETS) {
        if (policy != KeyPolicy.TOP_K && budget <= keys) {
          most =
              Math.max(
                  most,
                  recall(report, layer, policy, budget)
                      + most(report, layer + 1, layers, keys - budget));
        }
      }
    }
    return most;
  }

  @Test
  void noPlanKeepsMore() {
    for (int seed = 0; seed < 12; seed++) {
      int layers = 1 + seed % 4;
      PolicyReport report = report(layers, 1 + seed % 3, seed);
      List<BudgetPlan> plans = BudgetPlan.of(report);
      assertThat(plans).extracting(BudgetPlan::budget).isEqualTo(BUDGETS);
      for (BudgetPlan plan : plans) {
        int keys = plan.budget() * layers;
        assertThat(plan.sharedRecall())
            .isCloseTo(most(report, 0, layers, keys) / layers, within(1e-12));
        assertThat(plan.shared().stream().mapToInt(LayerPattern::budget).sum())
            .isLessThanOrEqualTo(keys);
        assertThat(plan.sharedRecall()).isGreaterThanOrEqualTo(plan.eachRecall() - 1e-12);
        for (LayerPattern layer : plan.shared()) {
          assertThat(layer.policy()).isNotEqualTo(KeyPolicy.TOP_K);
          assertThat(layer.recall())
              .isCloseTo(
                  recall(report, layer.layer(), layer.policy(), layer.budget()), within(1e-12));
        }
        for (LayerPattern layer : plan.each()) {
          double best = 0;
          for (KeyPolicy policy : KeyPolicy.values()) {
            for (int budget : BUDGETS) {
              if (policy != KeyPolicy.TOP_K && budget <= plan.budget()) {
                best = Math.max(best, recall(report, layer.layer(), policy, budget));
              }
            }
          }
          assertThat(layer.recall()).isCloseTo(best, within(1e-12));
        }
        double bound = 0;
        for (int l = 0; l < layers; l++) {
          bound += recall(report, l, KeyPolicy.TOP_K, plan.budget()) / layers;
        }
        assertThat(plan.bound()).isCloseTo(bound, within(1e-12));
      }
    }
  }

  @Test
  void ofNothingThereIsNoPlan() {
    assertThat(BudgetPlan.of(new PolicyReport(BUDGETS, List.of(), List.of(), 0.95, null)))
        .isEmpty();
  }
}
