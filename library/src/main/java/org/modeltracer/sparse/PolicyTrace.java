package org.modeltracer.sparse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.modeltracer.model.AttentionRow;
import org.modeltracer.model.HeadId;
import org.modeltracer.sparse.PolicyReport.HeadPolicies;
import org.modeltracer.sparse.PolicyReport.Kept;
import org.modeltracer.sparse.PolicyReport.LayerPolicy;
import org.modeltracer.trace.TraceListener;

/**
 * Measures what every head of a dense model would lose if it kept some keys only.
 *
 * <p>Rows are taken as they stream; a prompt begins with its first query. Only causal rows of
 * sequence 0 count, and of these, for each budget, those that see more keys.
 */
public final class PolicyTrace implements TraceListener {
  private static final double[] MASSES = {0.90, 0.95, 0.99};

  private final List<Integer> budgets;
  private final double target;
  private final Map<HeadId, Head> heads =
      new TreeMap<>(Comparator.comparingInt(HeadId::layer).thenComparingInt(HeadId::head));
  private boolean[] kept = {};
  private float[] weights = {};

  /** What is added up of one head. */
  private static final class Head {
    private long rows;
    private final Map<KeyPolicy, MeanSum[]> mass = new EnumMap<>(KeyPolicy.class);
    private final Map<KeyPolicy, MeanSum[]> share = new EnumMap<>(KeyPolicy.class);

    private final MeanSum[] needed = MeanSum.several(MASSES.length);
    private final HeavyHitters[] hitters;

    Head(int budgets) {
      hitters = new HeavyHitters[budgets];
      Arrays.setAll(hitters, b -> new HeavyHitters());
      for (KeyPolicy policy : KeyPolicy.values()) {
        mass.put(policy, MeanSum.several(budgets));
        share.put(policy, MeanSum.several(budgets));
      }
    }

    MeanSum[] mass(KeyPolicy policy) {
      return Objects.requireNonNull(mass.get(policy));
    }

    MeanSum[] share(KeyPolicy policy) {
      return Objects.requireNonNull(share.get(policy));
    }
  }

  /**
   * A trace without rows.
   *
   * @param budgets keys kept at most, ascending
   * @param target attention mass that a recommendation must keep, 0 to 1
   */
  public PolicyTrace(List<Integer> budgets, double target) {
    this.budgets = List.copyOf(budgets);
    this.target = target;
    if (budgets.isEmpty() || budgets.stream().anyMatch(b -> b < 1)) {
      throw new IllegalArgumentException("budgets are at least 1 key, not " + budgets);
    }
  }

  @Override
  public void onAttentionRow(AttentionRow row) {
    if (row.sequence() != 0 || !row.causal()) {
      return;
    }
    int n = row.size();
    if (kept.length < n) {
      kept = new boolean[2 * n];
      weights = new float[2 * n];
    }
    // A learned sink's share belongs to no key: what is kept is a share of what keys have.
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += row.weight(i);
    }
    for (int i = 0; i < n; i++) {
      weights[i] = (float) (row.weight(i) / sum);
    }
    Head head =
        heads.computeIfAbsent(new HeadId(row.layer(), row.head()), id -> new Head(budgets.size()));
    head.rows++;
    needed(head, n);
    for (int b = 0; b < budgets.size(); b++) {
      for (KeyPolicy policy : KeyPolicy.values()) {
        keep(head, policy, b, n);
      }
    }
  }

  private void keep(Head head, KeyPolicy policy, int b, int n) {
    boolean exercised = n > budgets.get(b);
    if (!exercised && policy != KeyPolicy.HEAVY_HITTERS) {
      return;
    }
    policy.keep(weights, n, budgets.get(b), head.hitters[b], kept);
    if (!exercised) {
      return;
    }
    double mass = 0;
    int count = 0;
    for (int i = 0; i < n; i++) {
      mass += kept[i] ? weights[i] : 0;
      count += kept[i] ? 1 : 0;
    }
    head.mass(policy)[b].add(mass);
    head.share(policy)[b].add((double) count / n);
  }

  private void needed(Head head, int n) {
    float[] sorted = Arrays.copyOf(weights, n);
    Arrays.sort(sorted);
    double mass = 0;
    int m = 0;
    for (int i = 0; i < MASSES.length; i++) {
      while (m < n && mass < MASSES[i]) {
        mass += sorted[n - ++m];
      }
      head.needed[i].add((double) m / n);
    }
  }

  /** What has been seen so far. */
  public PolicyReport report() {
    var all = new ArrayList<HeadPolicies>();
    heads.forEach((id, head) -> all.add(report(id, head)));
    var layers = new ArrayList<LayerPolicy>();
    all.stream()
        .map(HeadPolicies::layer)
        .distinct()
        .forEach(layer -> layers.add(recommended(layer, all)));
    return new PolicyReport(budgets, all, layers, target, null);
  }

  private HeadPolicies report(HeadId id, Head head) {
    var cells = new ArrayList<Kept>();
    for (KeyPolicy policy : KeyPolicy.values()) {
      for (int b = 0; b < budgets.size(); b++) {
        MeanSum mass = head.mass(policy)[b];
        if (mass.count() > 0) {
          cells.add(
              new Kept(
                  policy,
                  budgets.get(b),
                  mass.orZero(),
                  mass.count(),
                  head.share(policy)[b].orZero()));
        }
      }
    }
    var needed = new LinkedHashMap<String, Double>();
    for (int i = 0; i < MASSES.length; i++) {
      needed.put(String.valueOf(Math.round(100 * MASSES[i])), head.needed[i].orZero());
    }
    return new HeadPolicies(id.layer(), id.head(), head.rows, cells, needed);
  }

  private LayerPolicy recommended(int layer, List<HeadPolicies> all) {
    for (int budget : budgets) {
      LayerPolicy best = null;
      for (KeyPolicy policy : KeyPolicy.values()) {
        var mass = new MeanSum();
        var share = new MeanSum();
        for (HeadPolicies head : all) {
          Kept cell = head.layer() == layer ? head.kept(policy, budget) : null;
          if (cell != null) {
            mass.add(cell.mass());
            share.add(cell.kept());
          }
        }
        boolean better = best == null || mass.orZero() > best.predictedRecall();
        if (mass.count() > 0 && mass.orZero() >= target && better) {
          best = new LayerPolicy(layer, policy, budget, mass.orZero(), 1 - share.orZero());
        }
      }
      if (best != null) {
        return best;
      }
    }
    return new LayerPolicy(layer, null, null, 1, 0);
  }
}
