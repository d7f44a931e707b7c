package org.modeltracer.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class CutTextTest {
  /** Of {@code printf 'é%.0s' {1..5000} | sha256sum}. */
  private static final String SHA =
      "349e5086ea495fe725baa7b08612d860e91c5e0dec8e42b4ec5ba1b051700f48";

  @Test
  void shortTextStays() {
    String text = "é".repeat(CutText.LONGEST);
    assertThat(CutText.of(text)).isSameAs(text);
    assertThat(streamed(text, 1000)).isEqualTo(text);
  }

  @Test
  void longTextIsCutWithItsLengthAndHash() {
    String text = "é".repeat(5000);
    String cut = "é".repeat(CutText.LONGEST) + "… (10,000 bytes, sha256 " + SHA + ")";
    assertThat(CutText.of(text)).isEqualTo(cut);
    assertThat(streamed(text, 1)).isEqualTo(cut);
    assertThat(streamed(text, 7777)).isEqualTo(cut);
    assertThat(CutText.of(cut)).isSameAs(cut);
  }

  @Test
  void noCharacterIsCutInTwo() {
    assertThat(CutText.of("x" + "😀".repeat(5000)))
        .startsWith("x" + "😀".repeat(2047) + "… (20,001");
    assertThat(streamed("x" + "😀".repeat(5000), 1000)).startsWith("x" + "😀".repeat(2047) + "…");
  }

  @Test
  void aLineIsCutToo() {
    assertThat(VisibleText.line("\n".repeat(100_000)))
        .hasSizeLessThan(2 * VisibleText.LONGEST_LINE + 200)
        .contains("\\n… (100,000 bytes, sha256 ");
  }

  private static String streamed(String text, int piece) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    var cut = new CutText();
    for (int at = 0; at < bytes.length; at += piece) {
      cut.add(bytes, at, Math.min(piece, bytes.length - at));
    }
    return cut.toString();
  }
}
