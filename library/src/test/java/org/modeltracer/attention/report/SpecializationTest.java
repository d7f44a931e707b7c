package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.modeltracer.attention.AttentionCollector;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.TokenTrack;

class SpecializationTest {
  @Test
  void eachConstructedHeadGetsItsLabel() {
    assertThat(label((q, k) -> k == Math.max(0, q - 4) ? 1 : 0.001))
        .isEqualTo(HeadSpecializationType.POSITIONAL);
    assertThat(label((q, k) -> k == 0 ? 2 * q : 1)).isEqualTo(HeadSpecializationType.SPECIAL_TOKEN);
    var random = new Random(8);
    assertThat(label((q, k) -> q - k >= 1 && q - k <= 3 ? 1 + 5 * random.nextDouble() : 0.02))
        .isEqualTo(HeadSpecializationType.LOCAL);
    assertThat(label((q, k) -> q - k > 5 ? 1 + random.nextDouble() : 0.1))
        .isEqualTo(HeadSpecializationType.GLOBAL);
    assertThat(label((q, k) -> k % 8 == 7 ? 20 : 1)).isEqualTo(HeadSpecializationType.SYNTACTIC);
    assertThat(label((q, k) -> q - k > 5 ? 0.2 : q - k == 4 || q - k == 5 ? 4 : 1))
        .isNotEqualTo(HeadSpecializationType.SYNTACTIC);
  }

  @Test
  void contentMatchingIsSemanticOnlyBeyondWhatDistanceExplains() {
    // four random sequences over a small alphabet: copies lie at irregular distances
    var random = new Random(6);
    var matching = new AttentionCollector(Matrices.shape(1, 2), AttentionOptions.defaults());
    for (int prompt = 0; prompt < 4; prompt++) {
      int[] ids = random.ints(64, 0, 12).toArray();
      matching.beginPrompt(0, prompt, Matrices.tokens(ids));
      var match = Matrices.matrix(64, (q, k) -> k < q && ids[k] == ids[q] ? 30 : 1);
      var blind = Matrices.matrix(64, (q, k) -> k < q && q - k < 12 ? 30 : 1);
      Matrices.feed(matching, new float[][][][] {{match, blind}}, 0, 64);
    }
    HeadSpecialization content = head(matching, 0);
    HeadSpecialization distance = head(matching, 1);
    assertThat(content.label()).isEqualTo(HeadSpecializationType.SEMANTIC);
    assertThat(content.semantic()).isGreaterThan(0.6);
    assertThat(distance.semantic()).isLessThan(0.05);
  }

  @Test
  void scoresAreShares() {
    var random = new Random(9);
    for (int round = 0; round < 30; round++) {
      var layer = new float[][][] {Matrices.random(30, random, 3)};
      var head = head(Matrices.collect(PatternsTest.sentences(), layer), 0);
      for (double score :
          List.of(
              head.positional(),
              head.specialToken(),
              head.semantic(),
              head.syntactic(),
              head.local(),
              head.global(),
              head.mixed())) {
        assertThat(score).isBetween(0.0, 1.0 + 1e-6);
      }
    }
  }

  @Test
  void evolutionMovesTheLeastPossibleShare() {
    var diagonal = Matrices.matrix(40, (q, k) -> k == q ? 1 : 0);
    var far = Matrices.matrix(40, (q, k) -> q - k > 5 ? 1 + (q * 7 + k * 3) % 5 : 0.1);
    var evolution =
        Reported.of(
                Matrices.collect(
                    new TokenTrack(),
                    new float[][][] {diagonal, diagonal, diagonal, far},
                    new float[][][] {diagonal, far, far, far}))
            .headSpecialization()
            .specializationEvolution();
    assertThat(evolution.layerDistribution().get(0))
        .containsEntry(HeadSpecializationType.POSITIONAL, 3);
    assertThat(evolution.transitions())
        .anySatisfy(
            move -> {
              assertThat(move.fromSpecialization()).isEqualTo(HeadSpecializationType.POSITIONAL);
              assertThat(move.toSpecialization()).isEqualTo(HeadSpecializationType.GLOBAL);
              assertThat(move.strength()).isEqualTo(0.5, within(1e-9));
            });
    assertThat(evolution.transitions().stream().mapToDouble(move -> move.strength()).sum())
        .isEqualTo(1, within(1e-9));
  }

  private static HeadSpecialization head(AttentionCollector collector, int head) {
    var collected = collector.collected();
    return HeadSpecialization.of(collected.heads().get(head), collected.copies());
  }

  private static HeadSpecializationType label(Matrices.Rule rule) {
    var layer = new float[][][] {Matrices.matrix(64, rule)};
    return head(Matrices.collect(PatternsTest.sentences(), layer), 0).label();
  }
}
