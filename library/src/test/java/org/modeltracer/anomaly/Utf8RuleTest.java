package org.modeltracer.anomaly;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class Utf8RuleTest {
  private final Utf8Rule rule = new Utf8Rule(Thresholds.defaults());

  @Test
  void charactersSpreadOverTokensAreText() {
    Random random = new Random(8);
    byte[] text = "Grüße, 世界! 🦙🦙 naïve ".repeat(200).getBytes(StandardCharsets.UTF_8);
    int step = 0;
    for (int start = 0; start < text.length; ) {
      int end = Math.min(text.length, start + random.nextInt(4));
      assertThat(rule.accept(step++, Arrays.copyOfRange(text, start, end))).isNull();
      start = end;
    }
  }

  @Test
  void longPiecesAreText() {
    byte[] text = "é".repeat(5000).getBytes(StandardCharsets.UTF_8);
    for (int step = 0; step < 10; step++) {
      assertThat(rule.accept(step, text)).isNull();
    }
  }

  @Test
  void aRunOfBrokenTokensIsToldOnceWithItsBeginning() {
    byte[] broken = {(byte) 0xff};
    assertThat(rule.accept(0, "ok".getBytes(StandardCharsets.UTF_8))).isNull();
    assertThat(rule.accept(1, broken)).isNull();
    assertThat(rule.accept(2, broken)).isNull();
    assertThat(rule.accept(3, broken)).isNull();
    Finding finding = rule.accept(4, broken);
    assertThat(finding).isNotNull();
    assertThat(finding.kind()).isEqualTo(AnomalyKind.TOKENIZER);
    assertThat(finding.message()).isEqualTo("4 tokens in a row are not UTF-8, since step 1");
    assertThat(rule.accept(5, broken)).isNull();
  }

  @Test
  void aSingleBrokenTokenIsNotARun() {
    byte[] broken = {(byte) 0xff};
    for (int step = 0; step < 100; step += 2) {
      assertThat(rule.accept(step, broken)).isNull();
      assertThat(rule.accept(step + 1, new byte[] {'a'})).isNull();
    }
  }
}
