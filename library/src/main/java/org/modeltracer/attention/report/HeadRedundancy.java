package org.modeltracer.attention.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
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
 * @param pruningRecommendations KV groups in the order in which they would be removed, each judged
 *     together with all before it
 * @param essentialHeads heads whose write or role says that the model needs them
 * @param essentialReasons why, by head
 * @param rows fewest sampled rows behind the comparison of two heads' weights
 * @param ckaPositions positions behind the comparison of outputs
 * @param outputPositions positions whose outputs were seen
 */
public record HeadRedundancy(
    List<Pair> redundantPairs,
    double redundancyScore,
    List<Pruning.Recommendation> pruningRecommendations,
    List<HeadId> essentialHeads,
    Map<HeadId, String> essentialReasons,
    int rows,
    int ckaPositions,
    long outputPositions) {
  private static final double IDENTICAL = 0.999;
  private static final double CORRELATED = 0.9;
  private static final double FUNCTIONAL = 0.9;
  private static final double PARTIAL = 0.8;
  private static final double BEYOND_UNIFORM = 0.5;

  /** How two heads are alike. */
  public enum Type {
    /** Weights alike to 0.999, as 1 − JS / ln 2, and correlated. */
    IDENTICAL,
    /** Pearson correlation of weights at least 0.9. */
    CORRELATED,
    /** Outputs alike: debiased CKA at least 0.9; heads of one layer only. */
    FUNCTIONAL,
    /** Weights alike to 0.8 with a correlation of 0.5: both may be nearly uniform without. */
    PARTIAL
  }

  /**
   * Two heads alike.
   *
   * @param head1 the first
   * @param head2 the second, later in (layer, head) order
   * @param similarity the value that {@code redundancyType} is about
   * @param redundancyType the strongest kind of likeness
   * @param correlation mean Pearson correlation of their rows without position 0, null when too few
   *     rows of both look elsewhere
   * @param cka debiased CKA of their outputs, null when unknown or in different layers
   * @param sameGroup whether they share a KV head, null when groups are unknown
   * @param rows sampled rows behind similarity and correlation of weights
   */
  public record Pair(
      HeadId head1,
      HeadId head2,
      double similarity,
      Type redundancyType,
      @Nullable Double correlation,
      @Nullable Double cka,
      @Nullable Boolean sameGroup,
      int rows) {}

  static HeadRedundancy of(
      CollectedAttention collected,
      List<LabelledHead> labelled,
      HeadDistances distances,
      @Nullable HeadCosts costs) {
    List<CollectedHead> heads = collected.heads();
    var pairs = new ArrayList<Pair>();
    Set<HeadId> redundant = new HashSet<>();
    int n = heads.size();
    Cka cka = Cka.withinLayers(heads, collected.outputs());
    int[] place = heads.stream().mapToInt(distances.heads()::indexOf).toArray();
    for (int a = 0; a < n; a++) {
      for (int b = 0; b < a; b++) {
        HeadId head1 = heads.get(b).id();
        HeadId head2 = heads.get(a).id();
        boolean compared = place[a] >= 0 && place[b] >= 0;
        Pair pair =
            pair(
                head1,
                head2,
                compared ? distances.similarity(place[a], place[b]) : Double.NaN,
                compared ? distances.correlation()[place[a]][place[b]] : Double.NaN,
                cka.between(a, b),
                sameGroup(head1, head2, costs),
                compared ? distances.pairRows()[place[a]][place[b]] : 0);
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
    var pruning = Pruning.of(collected, labelled, cka, costs);
    return new HeadRedundancy(
        pairs,
        n == 0 ? 0 : (double) redundant.size() / n,
        pruning.recommendations(),
        List.copyOf(pruning.essential().keySet()),
        pruning.essential(),
        distances.rows(),
        cka.positions(),
        heads.stream().map(CollectedHead::outputNorm).mapToLong(Pruning::rows).max().orElse(0));
  }

  private static @Nullable Pair pair(
      HeadId one,
      HeadId two,
      double likeness,
      double correlation,
      double cka,
      @Nullable Boolean same,
      int rows) {
    Type type = null;
    if (likeness >= IDENTICAL && correlation >= CORRELATED) type = Type.IDENTICAL;
    else if (correlation >= CORRELATED) type = Type.CORRELATED;
    else if (cka >= FUNCTIONAL) type = Type.FUNCTIONAL;
    else if (likeness >= PARTIAL && correlation >= BEYOND_UNIFORM) type = Type.PARTIAL;
    if (type == null) {
      return null;
    }
    double similarity =
        switch (type) {
          case IDENTICAL, PARTIAL -> likeness;
          case CORRELATED -> correlation;
          case FUNCTIONAL -> cka;
        };
    return new Pair(one, two, similarity, type, known(correlation), known(cka), same, rows);
  }

  private static @Nullable Double known(double value) {
    return value == value ? (Double) value : null;
  }

  private static @Nullable Boolean sameGroup(HeadId one, HeadId two, @Nullable HeadCosts costs) {
    if (one.layer() != two.layer()) {
      return false;
    }
    return costs == null ? null : (Boolean) (costs.group(one) == costs.group(two));
  }
}
