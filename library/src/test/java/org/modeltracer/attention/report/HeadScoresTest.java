package org.modeltracer.attention.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.attention.AttentionOptions;
import org.modeltracer.attention.GoldenAttention;
import org.modeltracer.attention.Matrices;
import org.modeltracer.attention.TokenKind;
import org.modeltracer.attention.TokenTrack;
import org.modeltracer.model.HeadId;
import org.modeltracer.testing.Golden;
import tools.jackson.databind.JsonNode;

class HeadScoresTest {
  private static final int PERIOD = 30;
  private static final int LENGTH = 1 + 3 * PERIOD;

  /**
   * The label rule on the reference scores of trained models: what was planted is found, no more.
   *
   * <p>The reference has no local, global, retrieval and argmax scores: those are placeholders.
   */
  @ParameterizedTest
  @ValueSource(strings = {"tinyllama-mha", "tinyllama-gqa"})
  void referenceScoresGiveTheReferenceLabels(String model) {
    for (JsonNode head : Golden.json("heads.json").get(model).get("heads")) {
      boolean back2 = model.equals("tinyllama-gqa") && at(head, 1, 5);
      double distance = head.get("mean_distance").asDouble();
      var scores =
          new HeadScores(
              head.get("prev_token").asDouble(),
              head.get("induction").asDouble(),
              head.get("duplicate_token").asDouble(),
              0,
              head.get("bos_sink").asDouble(),
              head.get("self_").asDouble(),
              0,
              Math.min(1, distance / 30),
              head.get("bos_sink").asDouble(),
              0,
              back2 ? 0.98 : 0.1,
              back2 ? 2 : 0,
              back2 ? 0.98 : 0.1,
              2,
              90,
              60);
      List<HeadLabel> labels = new ArrayList<>();
      head.get("labels").forEach(label -> labels.add(label(label.asString())));
      if (!labels.isEmpty()) assertThat(labels).contains(scores.label());
      else if (back2) assertThat(scores.label()).isEqualTo(HeadLabel.POSITIONAL);
      else
        assertThat(scores.label())
            .isIn(HeadLabel.SINK, HeadLabel.LOCAL, HeadLabel.GLOBAL, HeadLabel.MIXED);
    }
  }

  /** The same heads measured from reference attention on text, nothing supplied by hand. */
  @Test
  void trainedHeadsKeepTheirLabelOnText() {
    Map<HeadId, HeadScores> mha = scores("tinyllama-mha");
    assertThat(mha.get(new HeadId(0, 0)).label()).isEqualTo(HeadLabel.SELF);
    assertThat(mha.get(new HeadId(0, 1)).label()).isEqualTo(HeadLabel.PREVIOUS_TOKEN);
    Map<HeadId, HeadScores> gqa = scores("tinyllama-gqa");
    for (var head : List.of(new HeadId(0, 3), new HeadId(1, 4), new HeadId(1, 6))) {
      assertThat(gqa.get(head).label()).isEqualTo(HeadLabel.PREVIOUS_TOKEN);
    }
    assertThat(gqa.get(new HeadId(1, 5)).label()).isEqualTo(HeadLabel.POSITIONAL);
    assertThat(gqa.get(new HeadId(1, 5)).offset()).isEqualTo(2);
  }

  private static Map<HeadId, HeadScores> scores(String model) {
    return HeadScores.of(
        GoldenAttention.load(model, "text64").collect(AttentionOptions.defaults()).collected());
  }

  private static HeadLabel label(String reference) {
    return HeadLabel.valueOf(reference.replace('-', '_').toUpperCase(Locale.ROOT));
  }

  private static boolean at(JsonNode head, int layer, int index) {
    return head.get("layer").asInt() == layer && head.get("head").asInt() == index;
  }

  @Test
  void idealHeadsOnTheProbeScoreOneAndGetTheirLabel() {
    var rules = new LinkedHashMap<HeadLabel, Matrices.Rule>();
    rules.put(HeadLabel.PREVIOUS_TOKEN, (q, k) -> k == q - 1 ? 1 : 0);
    rules.put(HeadLabel.INDUCTION, (q, k) -> k == (q > PERIOD ? q - PERIOD + 1 : 0) ? 1 : 0);
    rules.put(HeadLabel.DUPLICATE_TOKEN, (q, k) -> k == (q > PERIOD ? q - PERIOD : 0) ? 1 : 0);
    rules.put(HeadLabel.SELF, (q, k) -> k == q ? 1 : 0);
    rules.put(HeadLabel.POSITIONAL, (q, k) -> k == Math.max(0, q - 2) ? 1 : 0);
    rules.put(HeadLabel.SINK, (q, k) -> k == 0 ? q : 1);
    rules.put(HeadLabel.LOCAL, (q, k) -> q - k >= 1 && q - k <= 3 ? 1 + (q + k) % 3 + k % 2 : 0);
    rules.put(HeadLabel.GLOBAL, (q, k) -> q - k > 5 ? 1 : 0.01);
    rules.put(HeadLabel.MIXED, (q, k) -> 1);
    rules.put(
        HeadLabel.SHIFTED_INDUCTION, (q, k) -> k == (q > PERIOD ? q - PERIOD + 2 : 0) ? 1 : 0);
    var layer = new float[rules.size()][][];
    int h = 0;
    for (Matrices.Rule rule : rules.values()) {
      layer[h++] = Matrices.matrix(LENGTH, rule);
    }
    var collector = Matrices.collect(probe(new Random(5)), layer);
    Map<HeadId, HeadScores> scores = HeadScores.of(collector.collected());
    h = 0;
    for (HeadLabel label : rules.keySet()) {
      var head = Objects.requireNonNull(scores.get(new HeadId(0, h++)));
      assertThat(head.label()).isEqualTo(label);
    }
    assertThat(scores.get(new HeadId(0, 0)).previousToken()).isEqualTo(1);
    assertThat(scores.get(new HeadId(0, 1)).induction()).isEqualTo(1);
    assertThat(scores.get(new HeadId(0, 1)).retrieval()).isEqualTo(1);
    assertThat(scores.get(new HeadId(0, 1)).copyRows()).isEqualTo(2 * PERIOD);
    assertThat(scores.get(new HeadId(0, 2)).duplicateToken()).isEqualTo(1);
    assertThat(scores.get(new HeadId(0, 2)).retrieval()).isZero();
    assertThat(scores.get(new HeadId(0, 4)).offset()).isEqualTo(2);
    assertThat(scores.get(new HeadId(0, 5)).sink()).isGreaterThan(0.3);
    assertThat(scores.get(new HeadId(0, 8)).local()).isLessThan(1e-6);
    assertThat(scores.get(new HeadId(0, 8)).global()).isLessThan(1e-6);
    assertThat(scores.get(new HeadId(0, 9)).shifted()).isEqualTo(1);
    assertThat(scores.get(new HeadId(0, 9)).shift()).isEqualTo(2);
  }

  static TokenTrack probe(Random random) {
    var ids = new ArrayList<Integer>();
    for (int i = 3; i < 380; i++) ids.add(i);
    Collections.shuffle(ids, random);
    var track = new TokenTrack();
    track.append(0, "<|bos|>", TokenKind.SPECIAL);
    for (int i = 0; i < 3 * PERIOD; i++) {
      track.append(ids.get(i % PERIOD), "t" + ids.get(i % PERIOD), TokenKind.CONTENT);
    }
    return track;
  }
}
