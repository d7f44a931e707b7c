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
