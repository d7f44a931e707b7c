package org.modeltracer.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.model.AttentionRow;

class RowMeasureTest {
  private final RowMeasure measure = new RowMeasure(AttentionOptions.defaults().thresholds());

  @Test
  void uniformRow() {
    read(new TokenTrack(), 99, uniform(100));
    assertThat(value(Quantity.ENTROPY)).isEqualTo(Math.log(100), within(1e-5));
    assertThat(value(Quantity.NORMALIZED_ENTROPY)).isEqualTo(1, within(1e-6));
    assertThat(value(Quantity.ENTROPY_WITHOUT_SINK)).isEqualTo(Math.log(99), within(1e-5));
    assertThat(value(Quantity.KEYS_FOR_95)).isEqualTo(95);
    assertThat(value(Quantity.TAIL_MASS)).isEqualTo(0.9, within(1e-6));
    assertThat(value(Quantity.DISTANCE)).isEqualTo(49.5, within(1e-4));
    assertThat(value(Quantity.RELATIVE_DISTANCE)).isEqualTo(1, within(1e-6));
    assertThat(value(Quantity.LOCAL)).isEqualTo(0.03, within(1e-6));
    assertThat(value(Quantity.GLOBAL)).isEqualTo(0.94, within(1e-6));
  }

  @Test
  void largestWeightsAreThoseOfASortUpToTheWidthOfABin() {
    var random = new Random(2);
    for (int round = 0; round < 200; round++) {
      int n = 12 + random.nextInt(200);
      float[] row = Matrices.random(n, random, 2)[n - 1];
      read(new TokenTrack(), n - 1, row);
      float[] sorted = row.clone();
      Arrays.sort(sorted);
      double mass = 0;
      int needed = 0;
      while (mass < 0.95 * measure.sum) mass += sorted[n - 1 - needed++];
      double head = 0;
      for (int i = 0; i < 10; i++) head += sorted[n - 1 - i];
      assertThat(value(Quantity.KEYS_FOR_95)).isEqualTo(needed, within(1.0));
      assertThat(value(Quantity.TAIL_MASS)).isEqualTo(1 - head, within(0.02));
    }
  }

  @Test
  void keysThatAreNotContiguousCountByPosition() {
    var row = new AttentionRow();
    int[] keys = {0, 4, 9};
    var weights = MemorySegment.ofArray(new float[] {0.2f, 0.3f, 0.5f});
    measure.read(row.at(0, 0, 0, 9, keys, 3, weights, 0), new TokenTrack());
    assertThat(value(Quantity.DISTANCE)).isEqualTo(0.2 * 9 + 0.3 * 5, within(1e-6));
    assertThat(value(Quantity.SINK)).isEqualTo(0.2, within(1e-7));
    assertThat(value(Quantity.SELF)).isEqualTo(0.5, within(1e-7));
    assertThat(value(Quantity.PREVIOUS_TOKEN)).isNaN();
  }

  @Test
  void contentMatchingFindsCopiesAndWhatFollowedThem() {
    // a b c a b: the query is the second b; its copy is 1, what followed is 2
    var tokens = Matrices.tokens(1, 2, 3, 1, 2, 3);
    read(tokens, 4, new float[] {0.1f, 0.2f, 0.4f, 0.1f, 0.2f});
    assertThat(value(Quantity.DUPLICATE_TOKEN)).isEqualTo(0.2, within(1e-7));
    assertThat(value(Quantity.INDUCTION)).isEqualTo(0.4, within(1e-7));
    assertThat(value(Quantity.RETRIEVAL)).isEqualTo(1);
  }

  /** Copies and followers that a window hides count neither above nor below the line. */
  @Test
  void whatAWindowHidesDoesNotExist() {
    var random = new Random(44);
    int hidden = 0;
    for (int round = 0; round < 400; round++) {
      int n = 10 + random.nextInt(50);
      int q = n - 1;
      int first = random.nextInt(n - 1);
      int[] ids = random.ints(n, 0, 6).toArray();
      float[] row = Matrices.random(n - first, random, 1)[n - first - 1];
      var weights = MemorySegment.ofArray(row);
      var source = new AttentionRow().at(0, 0, 0, q, first, row.length, weights, 0);
      assertThat(measure.read(source, Matrices.tokens(ids))).isTrue();
      double copies = 0;
      double followers = 0;
      boolean anyCopy = false;
      boolean anyFollower = false;
      int latest = -1;
      for (int k = 0; k < q; k++) {
        if (ids[k] != ids[q]) continue;
        latest = k;
        if (k >= first) {
          copies += row[k - first];
          anyCopy = true;
        }
        if (k + 1 >= first && k + 1 < q) {
          followers += row[k + 1 - first];
          anyFollower = true;
        }
      }
      if (latest >= 0 && latest < first) hidden++;
      same(Quantity.COPIES, anyCopy ? copies : Double.NaN);
      same(Quantity.FOLLOWERS, anyFollower ? followers : Double.NaN);
      same(Quantity.DUPLICATE_TOKEN, latest >= first ? row[latest - first] : Double.NaN);
      boolean target = latest >= 0 && latest + 1 >= first && latest + 1 < q;
      same(Quantity.INDUCTION, target ? row[latest + 1 - first] : Double.NaN);
    }
    assertThat(hidden).isGreaterThan(20);
  }

  private void same(Quantity quantity, double wanted) {
    if (wanted != wanted) assertThat(value(quantity)).as(quantity.name()).isNaN();
    else assertThat(value(quantity)).as(quantity.name()).isEqualTo(wanted, within(1e-6));
  }

  /** Base rates are those of uniform attention to the keys in sight. */
  @Test
  void baseRatesAreMassesOfUniformAttention() {
    for (int first : new int[] {0, 7, 30, 36}) {
      float[] row = uniform(40 - first);
      var source =
          new AttentionRow().at(0, 0, 0, 39, first, row.length, MemorySegment.ofArray(row), 0);
      assertThat(measure.read(source, new TokenTrack())).isTrue();
      same(Quantity.LOCAL, value(Quantity.LOCAL_BASE));
      same(Quantity.GLOBAL, value(Quantity.GLOBAL_BASE));
      same(Quantity.SPECIAL, value(Quantity.SPECIAL_BASE));
      assertThat(value(Quantity.LOCAL_BASE)).isEqualTo(3.0 / row.length);
    }
  }

  /** What distance explains, within a window, against a count of all pairs. */
  @Test
  void expectedMassOnCopiesIsThatOfAHeadBlindToTokens() {
    int n = 300;
    int window = 40;
    int[] ids = new Random(45).ints(n, 0, 50).toArray();
    // Rows as long as the window are all alike; shorter ones have no copies.
    for (int q = 0; q < window; q++) ids[q] = 1000 + q;
    var tokens = Matrices.tokens(ids);
    var collector = new AttentionCollector(Matrices.shape(1, 1), AttentionOptions.defaults());
    collector.beginPrompt(0, 1, tokens);
    var row = new AttentionRow();
    double copies = 0;
    double followers = 0;
    int copyRows = 0;
    int followerRows = 0;
    for (int q = 0; q < n; q++) {
      int first = Math.max(0, q - window + 1);
      float[] w = new float[q - first + 1];
      float sum = 0;
      for (int i = 0; i < w.length; i++) sum += w[i] = 1f / (1 + q - first - i);
      for (int i = 0; i < w.length; i++) w[i] /= sum;
      collector.row(row.at(0, 0, 0, q, first, w.length, MemorySegment.ofArray(w), 0));
      boolean copy = false;
      boolean follower = false;
      for (int k = first; k < q; k++) {
        if (ids[k] == ids[q]) {
          copies += w[k - first];
          copy = true;
        }
        if (k > 0 && ids[k - 1] == ids[q]) {
          followers += w[k - first];
          follower = true;
        }
      }
      if (copy) copyRows++;
      if (follower) followerRows++;
    }
    collector.endForward();
    var collected = collector.collected();
    CollectedHead head = collected.heads().get(0);
    assertThat(head.rows().count(Quantity.COPIES)).isEqualTo(copyRows);
    assertThat(head.rows().count(Quantity.FOLLOWERS)).isEqualTo(followerRows);
    double seen = collected.copies().expectedCopies(head.positions());
    double next = collected.copies().expectedFollowers(head.positions());
    assertThat(seen).isEqualTo(copies / copyRows, within(0.01));
    assertThat(next).isEqualTo(followers / followerRows, within(0.01));
  }

  @Test
  void structureSegmentsAndSpecialTokens() {
    var tokens = new TokenTrack();
    tokens.append(0, "<s>", TokenKind.SPECIAL);
    tokens.append(1, "Hi", TokenKind.of("Hi", false));
    tokens.append(2, ".", TokenKind.of(".", false));
    tokens.append(3, " You", TokenKind.of(" You", false));
    read(tokens, 3, new float[] {0.4f, 0.1f, 0.3f, 0.2f});
    assertThat(value(Quantity.SPECIAL)).isEqualTo(0.4, within(1e-7));
    assertThat(value(Quantity.STRUCTURAL)).isEqualTo(0.3, within(1e-7));
    assertThat(value(Quantity.STRUCTURAL_BASE)).isEqualTo(0.25);
    assertThat(value(Quantity.INSIDE)).isEqualTo(0.2, within(1e-7));
    assertThat(value(Quantity.INSIDE_BASE)).isEqualTo(0.25);
  }

  @Test
  void normWeightsTakeTheSinkAway() {
    var row = new AttentionRow();
    var weights = MemorySegment.ofArray(new float[] {0.8f, 0.1f, 0.1f});
    row.at(0, 0, 0, 2, 0, 3, weights, 0);
    measure.read(row, new TokenTrack());
    measure.normWeighted(new float[] {0, 3, 3});
    assertThat(value(Quantity.NORM_WEIGHTED_SINK)).isZero();
    assertThat(value(Quantity.NORM_WEIGHTED_ENTROPY)).isEqualTo(Math.log(2), within(1e-6));
    assertThat(value(Quantity.NORM_WEIGHTED_DISTANCE)).isEqualTo(0.5, within(1e-6));
  }

  @Test
  void aRowThatIsNotFiniteIsRefused() {
    var row = new AttentionRow();
    var weights = MemorySegment.ofArray(new float[] {0.5f, Float.NaN});
    assertThat(measure.read(row.at(0, 0, 0, 1, 0, 2, weights, 0), new TokenTrack())).isFalse();
  }

  private void read(TokenTrack tokens, int query, float[] weights) {
    var row = new AttentionRow();
    var segment = MemorySegment.ofArray(weights);
    assertThat(measure.read(row.at(0, 0, 0, query, 0, weights.length, segment, 0), tokens))
        .isTrue();
  }

  private static float[] uniform(int n) {
    float[] row = new float[n];
    Arrays.fill(row, 1f / n);
    return row;
  }

  private double value(Quantity quantity) {
    return measure.values[quantity.ordinal()];
  }
}
