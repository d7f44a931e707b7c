package org.modeltracer.attention.report;

import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;
import org.modeltracer.attention.CollectedAttention;
import org.modeltracer.attention.CollectedHead;
import org.modeltracer.model.HeadId;

/**
 * Heads that do what others do, and what pruning them might cost; correlational throughout.
 *
 * @param redundantPairs the 1,000 strongest pairs at most, most similar first
 * @param redundantPairsTotal pairs that there are
 * @param redundancyScore share of heads with at least one redundant partner
 * @param pruningRecommendations KV groups in the order in which they would be removed, each judged
 *     together with all before it
 * @param essentialHeads heads whose write or role says that the model needs them, and why
 * @param rows fewest sampled rows behind the comparison of two heads' weights
 * @param ckaPositions positions behind the comparison of outputs
 * @param outputPositions positions whose outputs were seen
 */
public record HeadRedundancy(
    List<Pair> redundantPairs,
    long redundantPairsTotal,
    double redundancyScore,
    List<Pruning.Recommendation> pruningRecommendations,
    List<EssentialHead> essentialHeads,
    int rows,
    int ckaPositions,
    long outputPositions) {
  private static final double IDENTICAL = 0.999;
  private static final double CORRELATED = 0.9;
  private static final double FUNCTIONAL = 0.9;
  private static final double PARTIAL = 0.8;
  private static final double BEYOND_UNIFORM = 0.5;
  private static final int MOST_PAIRS = 1000;

  /** The kinds as they are declared, then by likeness, then by head. */
  private static final Comparator<Pair> STRONGEST =
      Comparator.comparing(Pair::redundancyType)
          .thenComparing(Comparator.comparingDouble(Pair::similarity).reversed())
          .thenComparing(Pair::head2)
          .thenComparing(Pair::head1);

  /**
   * A head that the model needs.
   *
   * @param layer its layer
   * @param head the head
   * @param reason why, in words
   */
  public record EssentialHead(int layer, int head, String reason) {
    private static EssentialHead of(Map.Entry<HeadId, String> essential) {
      HeadId id = essential.getKey();
      return new EssentialHead(id.layer(), id.head(), essential.getValue());
    }

    /** Which head it is. */
    public HeadId id() {
      return new HeadId(layer, head);
    }
  }

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
    var strongest = new PriorityQueue<Pair>(STRONGEST.reversed());
    long total = 0;
    int n = heads.size();
    var redundant = new BitSet(n);
    Cka cka = Cka.withinLayers(heads, collected.outputs());
    int[] place = places(heads, distances);
    for (int a = 0; a < n; a++) {
      for (int b = 0; b < a; b++) {
        boolean compared = place[a] >= 0 && place[b] >= 0;
        double ofOutputs = cka.between(a, b);
        if (!compared && ofOutputs != ofOutputs) {
          continue;
        }
        HeadId head1 = heads.get(b).id();
        HeadId head2 = heads.get(a).id();
        Pair pair =
            pair(
                head1,
                head2,
                compared ? distances.similarity(place[a], place[b]) : Double.NaN,
                compared ? distances.correlation().get(place[a], place[b]) : Double.NaN,
                ofOutputs,
                sameGroup(head1, head2, costs),
                compared ? (int) distances.pairRows().get(place[a], place[b]) : 0);
        if (pair != null) {
          total++;
          redundant.set(a);
          redundant.set(b);
          if (strongest.size() < MOST_PAIRS) {
            strongest.add(pair);
          } else if (STRONGEST.compare(pair, strongest.element()) < 0) {
            strongest.remove();
            strongest.add(pair);
          }
        }
      }
    }
    var pruning = Pruning.of(collected, labelled, cka, costs);
    return new HeadRedundancy(
        strongest.stream().sorted(STRONGEST).toList(),
        total,
        n == 0 ? 0 : (double) redundant.cardinality() / n,
        pruning.recommendations(),
        pruning.essential().entrySet().stream().map(EssentialHead::of).toList(),
        distances.rows(),
        cka.positions(),
        heads.stream().map(CollectedHead::outputNorm).mapToLong(Pruning::rows).max().orElse(0));
  }

  /** Where each head stands among those compared, −1 where it does not. */
  private static int[] places(List<CollectedHead> heads, HeadDistances distances) {
    Map<HeadId, Integer> places = new HashMap<>();
    distances.heads().forEach(head -> places.put(head.id(), places.size()));
    return heads.stream().mapToInt(head -> places.getOrDefault(head.id(), -1)).toArray();
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
