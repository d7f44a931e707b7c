package org.modeltracer.sparse.patterns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.AttentionRow;

/** Scores of matrices of which they are known, and of what has no shape. */
class PatternScoresTest {
  private static final int N = 400;

  /** Rows that count: those of 32 keys and more. */
  private static double mean(Row row) {
    return IntStream.range(31, N).mapToDouble(row::of).average().orElseThrow();
  }

  private interface Row {
    double of(int query);
  }

  @Test
  void evenAttentionIsGlobalAndNothingElse() {
    HeadPattern head = Patterned.head(Patterned.causal(N, (q, k) -> 1));
    PatternScores scores = head.scores();
    assertThat(head.rows()).isEqualTo(N - 31);
    assertThat(head.kind()).isEqualTo(PatternKind.GLOBAL);
    assertThat(scores.spread()).isCloseTo(1, within(1e-4));
    assertThat(scores.distance()).isCloseTo(1, within(1e-5));
    assertThat(scores.sink()).isCloseTo(0, within(1e-6));
    assertThat(scores.diagonal()).isCloseTo(0, within(1e-6));
    assertThat(scores.strided()).isCloseTo(0, within(1e-6));
    assertThat(scores.local()).isCloseTo(0, within(1e-6));
    // Near the start of a text a block is a larger part of what is seen, which distances tell too.
    assertThat(scores.block()).isBetween(0.0, 0.05);
  }

  @Test
  void allOnTheFirstKeysIsASink() {
    HeadPattern head = Patterned.head(Patterned.causal(N, (q, k) -> k == 0 ? 3 : k == q ? 1 : 0));
    double even = mean(q -> 4.0 / (q + 1));
    assertThat(head.kind()).isEqualTo(PatternKind.SINK);
    assertThat(head.scores().sink()).isCloseTo((0.75 - even) / (1 - even), within(1e-5));
    // What is left lies on the query itself.
    assertThat(head.scores().diagonal()).isCloseTo(1, within(1e-5));
    assertThat(head.scores().offset()).isZero();
  }

  @Test
  void oneDistanceIsADiagonal() {
    HeadPattern head = Patterned.head(Patterned.causal(N, (q, k) -> q - k == 5 ? 0.8 * q : 0.2));
    // 0.8 q against 0.2 on each of the other q keys: a share of 0.8, the rest even.
    double mass = 0;
    double even = 0;
    double all = 0;
    for (int q = 31; q < N; q++) {
      double sum = 0.8 * q + 0.2 * q;
      double rest = 1 - 4 * 0.2 / sum;
      mass += 0.8 * q / sum;
      even += rest / (q - 3);
      all += rest;
    }
    assertThat(head.kind()).isEqualTo(PatternKind.DIAGONAL);
    assertThat(head.scores().offset()).isEqualTo(5);
    assertThat(head.scores().diagonal())
        .isCloseTo((mass / all - even / all) / (1 - even / all), within(1e-5));
  }

  @Test
  void aPeriodIsStridedAndTheLongestThatHoldsAllIsNamed() {
    for (int period : new int[] {7, 12, 30}) {
      HeadPattern head =
          Patterned.head(Patterned.causal(N, (q, k) -> (q - k) % period == 3 ? 1 : 0));
      assertThat(head.kind()).as("%d", period).isEqualTo(PatternKind.STRIDED);
      assertThat(head.scores().period()).isEqualTo(period);
      assertThat(head.scores().strided()).isCloseTo(1, within(1e-5));
    }
  }

  @Test
  void stayingInOnesBlockIsBlockAndTheSmallestIsNamed() {
    for (int size : new int[] {16, 32, 64}) {
      HeadPattern head =
          Patterned.head(Patterned.causal(N, (q, k) -> q / size == k / size ? 1 : 0));
      PatternScores scores = head.scores();
      assertThat(scores.blockSize()).isEqualTo(size);
      assertThat(scores.block()).isCloseTo(1, within(1e-5));
      // Five whole blocks that are all alike could be so by chance; with more they are believed.
      if (size < 64) {
        assertThat(head.kind()).isEqualTo(PatternKind.BLOCK);
      }
    }
  }

  /** A block score is what blocks have beyond the head's own distances, row by row. */
  @Test
  void theBlockScoreIsThatOfBruteForce() {
    var random = new Random(5);
    float[][] matrix =
        Patterned.causal(
            N,
            (q, k) -> random.nextDouble() * (q / 16 == k / 16 ? 6 : 1) * (1 + 40.0 / (q - k + 1)));
    int size = 16;
    double[] profile = new double[N];
    double all = 0;
    for (int q = 31; q < N; q++) {
      for (int k = 4; k <= q; k++) {
        profile[q - k] += matrix[q][k];
        all += matrix[q][k];
      }
    }
    double inside = 0;
    int blocks = 0;
    for (int start = 32; start + size <= N; start += size) {
      double own = 0;
      double rest = 0;
      for (int q = start; q < start + size; q++) {
        for (int k = 4; k <= q; k++) {
          own += k >= start ? matrix[q][k] : 0;
          rest += matrix[q][k];
        }
      }
      inside += own / rest;
      blocks++;
    }
    double explained = 0;
    for (int p = 0; p < size; p++) {
      for (int d = 0; d <= p; d++) {
        explained += profile[d] / all / size;
      }
    }
    PatternScores scores = Patterned.head(matrix).scores();
    assertThat(scores.blockSize()).isEqualTo(size);
    assertThat(scores.block())
        .isCloseTo((inside / blocks - explained) / (1 - explained), within(1e-5));
    assertThat(scores.blockChance()).isLessThan(1e-3);
  }

  @Test
  void aWindowIsLocalWhateverItsEdge() {
    HeadPattern head = Patterned.head(Patterned.causal(N, (q, k) -> q - k < 12 ? 1 : 0));
    assertThat(head.kind()).isEqualTo(PatternKind.LOCAL);
    assertThat(head.scores().local()).isCloseTo(1, within(1e-5));
    assertThat(head.scores().block()).isCloseTo(0, within(0.02));
    HeadPattern wider = Patterned.head(Patterned.causal(N, (q, k) -> q - k < 24 ? 1 : 0));
    double mass = 16.0 / 24;
    double even = 0;
    double all = 0;
    double near = 0;
    for (int q = 31; q < N; q++) {
      // Its first keys are in sight of the window up to query 26: not among the rows that count.
      all += 1;
      even += 16.0 / (q - 3);
      near += mass;
    }
    assertThat(wider.scores().local())
        .isCloseTo((near / all - even / all) / (1 - even / all), within(1e-5));
  }

  @Test
  void sharpAndFarIsHeterogeneous() {
    // Each query looks at one key of its own, anywhere.
    var random = new Random(11);
    int[] at = IntStream.range(0, N).map(q -> random.nextInt(q + 1)).toArray();
    HeadPattern head = Patterned.head(Patterned.causal(N, (q, k) -> k == at[q] ? 1 : 1e-4));
    assertThat(head.kind()).isEqualTo(PatternKind.HETEROGENEOUS);
  }

  /** Weights at random, even or sharp, have no shape; nor has one column or a few. */
  @Test
  void noHeadOfChanceIsCalledLocalOrStridedOrBlock() {
    var seen = new EnumMap<PatternKind, Integer>(PatternKind.class);
    for (int seed = 0; seed < 200; seed++) {
      double sharpness = 0.5 + seed % 8;
      int n = 64 + seed;
      HeadPattern head = Patterned.head(Patterned.random(n, seed, sharpness));
      assertThat(head.kind())
          .as("seed %d", seed)
          .isIn(PatternKind.GLOBAL, PatternKind.HETEROGENEOUS);
      seen.merge(head.kind(), 1, Integer::sum);
      var random = new Random(seed);
      int columns = 1 + seed % 4;
      var drawn = random.ints(columns, 4, n).boxed().toList();
      HeadPattern column =
          Patterned.head(Patterned.causal(n, (q, k) -> drawn.contains(k) ? 1 : 1e-3));
      assertThat(column.kind())
          .as("columns %s of %d", drawn, n)
          .isIn(PatternKind.GLOBAL, PatternKind.HETEROGENEOUS);
    }
    assertThat(seen).hasSize(2);
  }

  @Test
  void scoresAreTheSameHoweverATextIsCut() {
    float[][] matrix = Patterned.random(150, 3, 2);
    var whole = new PatternTrace(KeyCosts.unknown());
    Patterned.feed(whole, 0, 150, matrix, matrix);
    var cut = new PatternTrace(KeyCosts.unknown());
    Patterned.feed(cut, 0, 7, matrix, matrix);
    assertThat(cut.report(0)).isEqualTo(whole.report(0));
  }

  @Test
  void textsAddUp() {
    float[][] one = Patterned.causal(80, (q, k) -> q - k == 1 ? 1 : 0);
    float[][] other = Patterned.causal(300, (q, k) -> q - k == 2 ? 1 : 0);
    var trace = new PatternTrace(KeyCosts.unknown());
    trace.begin(KeyTokens.unknown());
    Patterned.feed(trace, 0, 64, one);
    trace.begin(KeyTokens.unknown());
    Patterned.feed(trace, 0, 64, other);
    HeadPattern head = trace.report(0).heads().getFirst();
    assertThat(head.rows()).isEqualTo(49 + 269);
    assertThat(head.scores().offset()).isEqualTo(2);
    // Of mass that is even: 49 rows elsewhere.
    assertThat(head.scores().diagonal()).isCloseTo(269.0 / 318, within(0.01));
  }

  @Test
  void bothWaysDistancesHaveASign() {
    HeadPattern next =
        Patterned.head(Patterned.bothWays(100, (q, k) -> k == (q + 1) % 100 ? 1 : 0));
    assertThat(next.kind()).isEqualTo(PatternKind.DIAGONAL);
    assertThat(next.scores().offset()).isEqualTo(-1);
    assertThat(next.scores().block()).isNull();
    assertThat(next.rows()).isEqualTo(100);
    HeadPattern even = Patterned.head(Patterned.bothWays(100, (q, k) -> 1));
    assertThat(even.kind()).isEqualTo(PatternKind.GLOBAL);
    assertThat(even.scores().local()).isCloseTo(0, within(1e-5));
    HeadPattern near =
        Patterned.head(Patterned.bothWays(100, (q, k) -> Math.abs(q - k) < 10 ? 1 : 0));
    assertThat(near.kind()).isEqualTo(PatternKind.LOCAL);
  }

  @Test
  void fewRowsHaveNoKind() {
    HeadPattern head = Patterned.head(Patterned.causal(62, (q, k) -> q == k ? 1 : 0));
    assertThat(head.rows()).isEqualTo(31);
    assertThat(head.kind()).isNull();
    assertThat(Patterned.head(Patterned.causal(63, (q, k) -> q == k ? 1 : 0)).kind())
        .isEqualTo(PatternKind.DIAGONAL);
    assertThat(Patterned.report(Patterned.causal(31, (q, k) -> 1)).heads()).isEmpty();
  }

  /** A learned sink takes a share that belongs to no key; broken rows are no rows. */
  @Test
  void rowsThatDoNotSumToOneCountAsShares() {
    var trace = new PatternTrace(KeyCosts.unknown());
    var row = new AttentionRow();
    for (int q = 0; q < 100; q++) {
      float[] weights = new float[q + 1];
      weights[q] = 0.25f;
      trace.onAttentionRow(row.at(0, 0, 0, q, 0, q + 1, MemorySegment.ofArray(weights), 0));
      weights[q] = Float.NaN;
      trace.onAttentionRow(row.at(0, 0, 0, q, 0, q + 1, MemorySegment.ofArray(weights), 0));
    }
    HeadPattern head = trace.report(0).heads().getFirst();
    assertThat(head.rows()).isEqualTo(69);
    assertThat(head.scores().diagonal()).isCloseTo(1, within(1e-6));
  }
}
