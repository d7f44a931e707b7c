package org.modeltracer.sparse.patterns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.modeltracer.sparse.patterns.Savings.Selection;

/** Keys needed and saved, against counting them one by one. */
class EfficiencyTest {
  private static final int N = 120;
  private static final int FIRST_ROW = 31;
  private static final double[] MASSES = {0.90, 0.95, 0.99};

  private interface Mask {
    boolean keeps(int query, int key);
  }

  private static Mask mask(FixedForm form, int p) {
    return switch (form) {
      case WINDOW -> (q, k) -> Math.abs(q - k) < p;
      case SINK_WINDOW -> (q, k) -> k < 4 || Math.abs(q - k) < p;
      case STRIDED -> (q, k) -> Math.abs(q - k) < p || (q - k) % p == 0;
      case BLOCK -> (q, k) -> q / p == k / p;
    };
  }

  private static int[] parameters(FixedForm form) {
    return switch (form) {
      case WINDOW, SINK_WINDOW -> IntStream.rangeClosed(1, N).toArray();
      case STRIDED -> IntStream.rangeClosed(2, N).toArray();
      case BLOCK -> new int[] {8, 16, 32, 64, 128, 256, 512};
    };
  }

  private static int from(float[][] matrix) {
    return IntStream.range(0, N).filter(q -> matrix[q].length >= 32).findFirst().orElseThrow();
  }

  /** Mean mass of a matrix that a mask keeps, and the mean number of keys. */
  private static double[] kept(float[][] matrix, Mask mask) {
    double mass = 0;
    double keys = 0;
    int first = from(matrix);
    for (int q = first; q < N; q++) {
      for (int k = 0; k < matrix[q].length; k++) {
        mass += mask.keeps(q, k) ? matrix[q][k] : 0;
        keys += mask.keeps(q, k) ? 1 : 0;
      }
    }
    return new double[] {mass / (N - first), keys / (N - first)};
  }

  private static double visible(float[][] matrix) {
    return kept(matrix, (q, k) -> true)[1];
  }

  /** The fewest keys of a form that keep enough of every matrix; NaN where none do. */
  private static double fewest(FixedForm form, double mass, float[][]... matrices) {
    double fewest = Double.NaN;
    for (int p : parameters(form)) {
      Mask mask = mask(form, p);
      boolean enough = true;
      for (float[][] matrix : matrices) {
        enough &= kept(matrix, mask)[0] >= mass - 1e-6;
      }
      double keys = kept(matrices[0], mask)[1];
      if (enough && !(keys >= fewest)) {
        fewest = keys;
      }
    }
    return fewest;
  }

  private static List<float[][]> matrices() {
    var all = new ArrayList<float[][]>();
    all.add(Patterned.random(N, 1, 1));
    all.add(Patterned.random(N, 2, 4));
    all.add(Patterned.causal(N, (q, k) -> Math.exp((k - q) / 9.0) + (k == 0 ? 2 : 0)));
    all.add(Patterned.causal(N, (q, k) -> (q - k) % 6 == 0 ? 1 : 0.001));
    all.add(Patterned.causal(N, (q, k) -> q / 16 == k / 16 ? 1 : 0.001));
    var random = new Random(4);
    all.add(Patterned.bothWays(N, (q, k) -> random.nextDouble() / (1 + Math.abs(q - k))));
    return all;
  }

  @Test
  void everyFixedRuleIsTheBestOfAllItsParameters() {
    for (float[][] matrix : matrices()) {
      HeadPattern head = Patterned.head(matrix);
      for (int m = 0; m < MASSES.length; m++) {
        Efficiency efficiency = head.efficiency().get(m);
        for (FixedForm form : FixedForm.values()) {
          double fewest = fewest(form, MASSES[m], matrix);
          var found = efficiency.fixed().stream().filter(f -> f.form() == form).findFirst();
          assertThat(found.isPresent()).isEqualTo(!Double.isNaN(fewest));
          if (found.isPresent()) {
            FixedPattern pattern = found.get();
            assertThat(pattern.keys()).as("%s", form).isCloseTo(fewest, within(1e-9));
            double[] kept = kept(matrix, mask(form, pattern.parameter()));
            assertThat(pattern.keys()).isCloseTo(kept[1], within(1e-9));
            assertThat(pattern.mass()).isCloseTo(kept[0], within(1e-5));
            assertThat(pattern.share()).isCloseTo(kept[1] / visible(matrix), within(1e-9));
          }
        }
      }
    }
  }

  /** The keys of a row, the heaviest first, until they hold enough. */
  private static Set<Integer> needed(float[] row, double mass) {
    List<Integer> order =
        IntStream.range(0, row.length)
            .boxed()
            .sorted((a, b) -> Float.compare(row[b], row[a]))
            .toList();
    var keys = new HashSet<Integer>();
    double held = 0;
    for (int k : order) {
      if (held >= mass) {
        break;
      }
      held += row[k];
      keys.add(k);
    }
    return keys;
  }

  @Test
  void keysNeededAreTheHeaviestOfEachQuery() {
    for (float[][] matrix : matrices().subList(0, 3)) {
      HeadPattern head = Patterned.head(matrix);
      for (int m = 0; m < MASSES.length; m++) {
        double mass = MASSES[m];
        double keys =
            IntStream.range(FIRST_ROW, N)
                .mapToDouble(q -> needed(matrix[q], mass).size())
                .average()
                .orElseThrow();
        // Weights become shares once more, which may move a sum across the bound.
        assertThat(head.efficiency().get(m).keys()).isCloseTo(keys, within(0.03));
        assertThat(head.efficiency().get(m).share())
            .isCloseTo(keys / visible(matrix), within(0.001));
      }
    }
  }

  @Test
  void keysNeededOfEvenAttentionAreItsShare() {
    HeadPattern head = Patterned.head(Patterned.causal(N, (q, k) -> 1));
    for (int m = 0; m < MASSES.length; m++) {
      double mass = MASSES[m];
      double keys =
          IntStream.range(FIRST_ROW, N)
              .mapToDouble(q -> Math.ceil(mass * (q + 1) - 1e-9))
              .average()
              .orElseThrow();
      assertThat(head.efficiency().get(m).keys()).isCloseTo(keys, within(0.2));
    }
  }

  private static KeyCosts costs(int heads, int kvHeads) {
    // Keys of 8, values of 4 numbers, two bytes each.
    return new KeyCosts(Map.of(0, new KeyCosts.Layer(heads, kvHeads, 8, 4, 24)));
  }

  private static PatternReport report(KeyCosts costs, float[][]... heads) {
    var trace = new PatternTrace(costs);
    trace.begin(KeyTokens.unknown());
    Patterned.feed(trace, 0, 13, heads);
    return trace.report(0);
  }

  private static Savings total(PatternReport report, double mass, Selection selection) {
    return report.total().stream()
        .filter(s -> s.mass() == mass && s.selection() == selection)
        .findFirst()
        .orElseThrow();
  }

  /** Four query heads on two KV heads: bytes are saved where both of a pair do without. */
  @Test
  void bytesAreSavedOnlyWhereAllHeadsOfAGroupDropAKey() {
    float[][][] heads = {
      Patterned.random(N, 1, 3),
      Patterned.random(N, 2, 3),
      Patterned.random(N, 3, 3),
      Patterned.causal(N, (q, k) -> Math.exp((k - q) / 5.0))
    };
    PatternReport report = report(costs(4, 2), heads);
    double visible = visible(heads[0]);
    for (double mass : MASSES) {
      double needed = 0;
      double read = 0;
      for (int pair = 0; pair < 2; pair++) {
        for (int q = FIRST_ROW; q < N; q++) {
          Set<Integer> one = needed(heads[2 * pair][q], mass);
          Set<Integer> other = needed(heads[2 * pair + 1][q], mass);
          needed += one.size() + other.size();
          one.addAll(other);
          read += one.size();
        }
      }
      int rows = N - FIRST_ROW;
      Savings top = total(report, mass, Selection.TOP_K);
      assertThat(top.kept()).isCloseTo(needed / rows / (4 * visible), within(1e-3));
      assertThat(top.flopsSaved()).isCloseTo(1 - top.kept(), within(1e-12));
      assertThat(top.flops())
          .isCloseTo((2 * 8 + 2 * 4) * top.flopsSaved() * 4 * visible, within(1e-6));
      assertThat(top.kvSaved()).isCloseTo(1 - read / rows / (2 * visible), within(1e-3));
      assertThat(top.kvBytes()).isCloseTo(24 * top.kvSaved() * 2 * visible, within(1e-6));

      double[] best = new double[4];
      for (int h = 0; h < 4; h++) {
        best[h] = best(mass, heads[h]);
      }
      double shared = best(mass, heads[0], heads[1]) + best(mass, heads[2], heads[3]);
      Savings fixed = total(report, mass, Selection.FIXED);
      assertThat(fixed.kept())
          .isCloseTo((best[0] + best[1] + best[2] + best[3]) / (4 * visible), within(1e-9));
      assertThat(fixed.kvSaved()).isCloseTo(1 - shared / (2 * visible), within(1e-9));
    }
    assertThat(report.layers()).hasSize(1);
    assertThat(report.layers().getFirst().savings()).isEqualTo(report.total());
  }

  /** The fewest keys over all forms. */
  private static double best(double mass, float[][]... heads) {
    double best = Double.MAX_VALUE;
    for (FixedForm form : FixedForm.values()) {
      double keys = fewest(form, mass, heads);
      best = Double.isNaN(keys) ? best : Math.min(best, keys);
    }
    return best;
  }

  @Test
  void headsWithKeysOfTheirOwnSaveAsManyBytesAsOperations() {
    PatternReport report =
        report(costs(2, 2), Patterned.random(N, 1, 3), Patterned.random(N, 2, 3));
    for (Savings savings : report.total()) {
      assertThat(savings.kvSaved()).isCloseTo(savings.flopsSaved(), within(1e-9));
    }
  }

  @Test
  void withoutCostsSharesAreKnownAndNumbersAreNot() {
    for (Savings savings : Patterned.report(Patterned.random(N, 1, 3)).total()) {
      assertThat(savings.flops()).isNull();
      assertThat(savings.kvBytes()).isNull();
      assertThat(savings.flopsSaved()).isBetween(0.005, 0.95);
    }
  }

  /**
   * Of a model with very many heads, each has room for few distances; the rest is not told apart.
   */
  @Test
  void whatMemoryDoesNotHoldIsNotMadeUp() {
    var trace = new PatternTrace(costs(1 << 20, 1 << 20));
    trace.begin(KeyTokens.unknown());
    Patterned.feed(trace, 0, 20, Patterned.causal(N, (q, k) -> 1));
    HeadPattern head = trace.report(0).heads().getFirst();
    assertThat(head.efficiency().getFirst().fixed())
        .extracting(FixedPattern::form)
        .containsExactly(FixedForm.BLOCK);
    assertThat(head.kind()).isEqualTo(PatternKind.GLOBAL);
    assertThat(head.efficiency().getFirst().share()).isCloseTo(0.9, within(0.02));
  }
}
