package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.TokenKind;
import org.modeltracer.attention.TokenTrack;

class PatternsTest {
  private static final int N = 64;

  @Test
  void uniformAttentionHasNoPattern() {
    var patterns = patterns(new TokenTrack(), (q, k) -> 1);
    assertThat(patterns.diagonalPatterns()).isEmpty();
    assertThat(patterns.verticalPatterns()).isEmpty();
    assertThat(patterns.blockPatterns()).isEmpty();
    assertThat(patterns.repetitivePatterns()).isEmpty();
  }

  @Test
  void noiseHasNoPattern() {
    var random = new Random(4);
    for (int round = 0; round < 20; round++) {
      var patterns = patterns(sentences(), (q, k) -> Math.exp(random.nextGaussian()));
      assertThat(patterns.diagonalPatterns()).isEmpty();
      assertThat(patterns.verticalPatterns()).isEmpty();
      assertThat(patterns.blockPatterns()).isEmpty();
      assertThat(patterns.repetitivePatterns()).isEmpty();
    }
  }

  @Test
  void shiftedDiagonal() {
    for (int offset = 0; offset < 20; offset++) {
      int d = offset;
      var patterns = patterns(new TokenTrack(), (q, k) -> k == q - d ? 1 : 1e-3);
      assertThat(patterns.diagonalPatterns()).hasSize(1);
      var diagonal = patterns.diagonalPatterns().get(0);
      assertThat(diagonal.offset()).isEqualTo(d);
      assertThat(diagonal.coverage()).isEqualTo(1);
      assertThat(diagonal.rows()).isEqualTo(N - Math.max(1, d));
      assertThat(diagonal.strength()).isGreaterThan(0.9);
      assertThat(diagonal.others()).isLessThan(0.02);
    }
  }

  @Test
  void column() {
    var patterns = patterns(new TokenTrack(), (q, k) -> k == 7 ? q : 1);
    assertThat(patterns.verticalPatterns()).hasSize(1);
    var column = patterns.verticalPatterns().get(0);
    assertThat(column.targetPosition()).isEqualTo(7);
    assertThat(column.rows()).isEqualTo(N - 8);
    assertThat(column.attendingTokens()).isEqualTo(N - 8);
    assertThat(column.strength()).isEqualTo(0.5, within(0.01));
  }

  @Test
  void blocksOfSentences() {
    var patterns = patterns(sentences(), (q, k) -> q / 8 == k / 8 ? 9 : 1);
    assertThat(patterns.blockPatterns()).hasSize(1);
    var block = patterns.blockPatterns().get(0);
    assertThat(block.internalStrength()).isGreaterThan(1.2);
    assertThat(block.rows()).isEqualTo(N - 8 - 4);
    assertThat(block.externalAttention()).isBetween(0.1, 0.6);
  }

  @Test
  void periodicDistances() {
    for (int period : new int[] {3, 5, 8}) {
      var patterns = patterns(new TokenTrack(), (q, k) -> (q - k) % period == 0 ? 1 : 0.05);
      assertThat(patterns.repetitivePatterns()).hasSize(1);
      assertThat(patterns.repetitivePatterns().get(0).period()).isEqualTo(period);
      assertThat(patterns.repetitivePatterns().get(0).peak()).isGreaterThan(3);
    }
  }

  private static AttentionPatterns patterns(TokenTrack tokens, Matrices.Rule rule) {
    var layer = new float[][][] {Matrices.matrix(N, rule)};
    return Reported.of(Matrices.collect(tokens, layer)).attentionPatterns();
  }

  /** Sentences of eight tokens. */
  static TokenTrack sentences() {
    var track = new TokenTrack();
    for (int i = 0; i < N; i++) {
      String text = i % 8 == 7 ? "." : " w" + i;
      track.append(i, text, TokenKind.of(text, false));
    }
    return track;
  }
}
