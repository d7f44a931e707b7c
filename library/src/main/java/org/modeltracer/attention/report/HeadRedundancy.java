package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.model.HeadId;

/**
 * Heads that do what others do, and what pruning them might cost; correlational throughout.
 *
 * @param redundantPairs pairs, most similar first
 * @param redundancyScore share of heads with at least one redundant partner
 * @param pruningRecommendations KV groups whose loss should hurt least, best first
 * @param essentialHeads heads of the groups that write at least twice their even share
 * @param rows sampled rows behind the comparison of weights
 */
public record HeadRedundancy(
    List<Pair> redundantPairs,
    double redundancyScore,
    List<Pruning.Recommendation> pruningRecommendations,
    List<HeadId> essentialHeads,
    int rows) {
  private static final double IDENTICAL = 0.999;
  private static final double CORRELATED = 0.9;
  private static final double FUNCTIONAL = 0.9;
  private static final double PARTIAL = 0.8;

  /** How two heads are alike. */
  public enum Type {
    /** Weights alike to 0.999, as 1 − JS / ln 2. */
    IDENTICAL,
    /** Pearson correlation of weights at least 0.9. */
    CORRELATED,
    /** Outputs alike: debiased CKA at least 0.9; heads of one layer only. */
    FUNCTIONAL,
    /** Weights alike to 0.8. */
    PARTIAL
  }

  /**
   * Two heads alike.
   *
   * @param head1 the first
   * @param head2 the second, later in (layer, head) order
   * @param similarity the value that {@code redundancyType} is about
   * @param redundancyType the strongest kind of likeness
   * @param correlation mean Pearson correlation of their rows without position 0
   * @param cka debiased CKA of their outputs, null when unknown or in different layers
   * @param sameGroup whether they share a KV head, null when groups are unknown
   */
  public record Pair(
      HeadId head1,
      HeadId head2,
      double similarity,
      Type redundancyType,
      double correlation,
      @Nullable Double cka,
      @Nullable Boolean sameGroup) {}

  static HeadRedundancy of(
      CollectedAttention collected, HeadDistances distances, @Nullable HeadCosts costs) {
    List<CollectedHead> heads = distances.heads();
    var pairs = new ArrayList<Pair>();
    Set<HeadId> redundant = new HashSet<>();
    int n = heads.size();
    double[][] cka = Cka.withinLayers(heads, collected.outputs());
    boolean outputs = !collected.outputs().isEmpty();
    double[] closest = new double[n];
    for (int a = 0; a < n; a++) {
      for (int b = 0; b < a && distances.rows() > 0; b++) {
        HeadId head1 = heads.get(b).id();
        HeadId head2 = heads.get(a).id();
        Boolean same = sameGroup(head1, head2, costs);
        double likeness = distances.similarity(a, b);
        if (!Boolean.TRUE.equals(same)) {
          // Heads that look alike may write different things: outputs decide where they are known.
          double most = cka[a][b] == cka[a][b] ? cka[a][b] : outputs ? 0 : likeness;
          closest[a] = Math.max(closest[a], most);
          closest[b] = Math.max(closest[b], most);
        }
        Pair pair = pair(head1, head2, likeness, distances.correlation()[a][b], cka[a][b], same);
        if (pair != null) {
          pairs.add(pair);
          redundant.add(head1);
          redundant.add(head2);
        }
      }
    }
    pairs.sort(
        Comparator.comparing(Pair::redundancyType)
            .thenComparing(Comparator.comparingDouble(Pair::similarity).reversed()));
    var pruning = Pruning.of(collected, closest, costs);
    return new HeadRedundancy(
        pairs,
        n == 0 ? 0 : (double) redundant.size() / n,
        pruning.recommendations(),
        pruning.essential(),
        distances.rows());
  }

  private static @Nullable Pair pair(
      HeadId one,
      HeadId two,
      double likeness,
      double correlation,
      double cka,
      @Nullable Boolean same) {
    Type type =
        likeness >= IDENTICAL
            ? Type.IDENTICAL
            : correlation >= CORRELATED
                ? Type.CORRELATED
                : cka >= FUNCTIONAL ? Type.FUNCTIONAL : likeness >= PARTIAL ? Type.PARTIAL : null;
    if (type == null) {
      return null;
    }
    double similarity =
        switch (type) {
          case IDENTICAL, PARTIAL -> likeness;
          case CORRELATED -> correlation;
          case FUNCTIONAL -> cka;
        };
    return new Pair(one, two, similarity, type, correlation, cka == cka ? cka : null, same);
  }

  private static @Nullable Boolean sameGroup(HeadId one, HeadId two, @Nullable HeadCosts costs) {
    if (one.layer() != two.layer()) {
      return false;
    }
    return costs == null ? null : (Boolean) (costs.group(one) == costs.group(two));
  }
}
