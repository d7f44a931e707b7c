package org.modeltracer.attention;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
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
      AttentionAnalyzer analyzer, HeadDistances distances, @Nullable HeadCosts costs) {
    var pairs = new ArrayList<Pair>();
    Set<HeadId> redundant = new HashSet<>();
    int n = distances.heads.length;
    double[][] cka = outputs(analyzer, distances);
    boolean outputs = analyzer.outputs.any();
    double[] closest = new double[n];
    for (int a = 0; a < n; a++) {
      for (int b = 0; b < a && distances.rows > 0; b++) {
        HeadId head1 = analyzer.id(distances.heads[b]);
        HeadId head2 = analyzer.id(distances.heads[a]);
        Boolean same = sameGroup(head1, head2, costs);
        double likeness = distances.similarity(a, b);
        if (!Boolean.TRUE.equals(same)) {
          // Heads that look alike may write different things: outputs decide where they are known.
          double most = cka[a][b] == cka[a][b] ? cka[a][b] : outputs ? 0 : likeness;
          closest[a] = Math.max(closest[a], most);
          closest[b] = Math.max(closest[b], most);
        }
        Pair pair = pair(head1, head2, likeness, distances.correlation[a][b], cka[a][b], same);
        if (pair != null) {
          pairs.add(pair);
          redundant.add(head1);
          redundant.add(head2);
        }
      }
    }
    pairs.sort(
        (x, y) ->
            x.redundancyType != y.redundancyType
                ? x.redundancyType.compareTo(y.redundancyType)
                : Double.compare(y.similarity, x.similarity));
    var pruning = Pruning.of(analyzer, distances, closest, costs);
    return new HeadRedundancy(
        pairs,
        n == 0 ? 0 : (double) redundant.size() / n,
        pruning.recommendations(),
        pruning.essential(),
        distances.rows);
  }

  private static @Nullable Pair pair(
      HeadId one,
      HeadId two,
      double likeness,
      double correlation,
      double cka,
      @Nullable Boolean same) {
    Double known = cka == cka ? cka : null;
    if (likeness >= IDENTICAL) {
      return new Pair(one, two, likeness, Type.IDENTICAL, correlation, known, same);
    }
    if (correlation >= CORRELATED) {
      return new Pair(one, two, correlation, Type.CORRELATED, correlation, known, same);
    }
    if (cka >= FUNCTIONAL) {
      return new Pair(one, two, cka, Type.FUNCTIONAL, correlation, known, same);
    }
    return likeness >= PARTIAL
        ? new Pair(one, two, likeness, Type.PARTIAL, correlation, known, same)
        : null;
  }

  private static @Nullable Boolean sameGroup(HeadId one, HeadId two, @Nullable HeadCosts costs) {
    if (one.layer() != two.layer()) {
      return false;
    }
    return costs == null ? null : (Boolean) (costs.group(one) == costs.group(two));
  }

  /** CKA by position in {@code distances.heads}; NaN across layers. */
  private static double[][] outputs(AttentionAnalyzer analyzer, HeadDistances distances) {
    int n = distances.heads.length;
    double[][] all = new double[n][n];
    for (double[] row : all) {
      Arrays.fill(row, Double.NaN);
    }
    for (int from = 0; from < n; ) {
      int layer = analyzer.id(distances.heads[from]).layer();
      int to = from;
      while (to < n && analyzer.id(distances.heads[to]).layer() == layer) to++;
      int[] heads = Arrays.copyOfRange(distances.heads, from, to);
      double[][] cka = analyzer.outputs.cka(heads);
      for (int a = from; a < to; a++) {
        System.arraycopy(cka[a - from], 0, all[a], from, to - from);
      }
      from = to;
    }
    return all;
  }
}
