package org.modeltracer.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VisibleTextTest {
  /**
   * How the runner of GitHub Actions finds a command: leading space trimmed; the older anywhere.
   */
  private static final Pattern COMMAND = Pattern.compile("(?m)^\\s*::|##\\[");

  private static final int[] ALPHABET = {
    ':', ':', ':', '#', '#', '[', '\n', '\n', '\r', '\t', ' ', 'a', 0x1b, 0x9b, 0x7f, 0, 0x202e,
    0x2066, 0x200d, 0xfeff, 0x2028, 0x85, 0xd800, 0x1f600, 0xe0001, 'é', '%'
  };

  private static String random(Random random) {
    var text = new StringBuilder();
    for (int n = random.nextInt(40); n > 0; n--) {
      text.appendCodePoint(ALPHABET[random.nextInt(ALPHABET.length)]);
    }
    return text.toString();
  }

  @Test
  void nothingActsHoweverTheTextComesInPieces() {
    var random = new Random(7);
    for (int i = 0; i < 20_000; i++) {
      var shown = new StringBuilder();
      var flow = new VisibleText();
      for (int pieces = 1 + random.nextInt(4); pieces > 0; pieces--) {
        shown.append(flow.next(random(random)));
      }
      assertThat(COMMAND.matcher(shown).find()).as(shown.toString()).isFalse();
      assertThat(shown.chars().filter(c -> c != '\n' && c != '\t' && c != '\r'))
          .noneMatch(c -> Character.isISOControl(c) || (c >= 0x202a && c <= 0x202e));
      assertThat(shown.toString().replace("\r\n", "")).doesNotContain("\r");
      String line = VisibleText.line(random(random));
      assertThat(COMMAND.matcher(line).find()).as(line).isFalse();
      assertThat(line.codePoints())
          .noneMatch(
              c ->
                  Character.isISOControl(c)
                      || Character.getType(c) == Character.FORMAT
                      || c == 0x2028);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "a::b, a::b",
    "::error::x, :\\u003aerror::x",
    "' ::x', ' :\\u003ax'",
    "##[error]x, ##\\u005berror]x",
    "## [a], ## [a]",
    "Größe 你好 😀 مرحبا, Größe 你好 😀 مرحبا"
  })
  void whatMeansNothingStays(String text, String shown) {
    assertThat(VisibleText.line(text)).isEqualTo(shown);
  }

  @Test
  void generatedTextKeepsLinesAndLetters() {
    String family = "👨\u200d👩\u200d👧";
    assertThat(new VisibleText().next("a\n\tb\r\n" + family)).isEqualTo("a\n\tb\r\n" + family);
    assertThat(VisibleText.line("a\nb\u001b[2J")).isEqualTo("a\\nb\\u001b[2J");
  }
}
